"""What one round measures over libfabric's tcp provider on 127.0.0.1: the hop, and fi_pingpong over the same provider."""

import functools

import foreign
from measuring import Step
from runner import free_port
from table import KIB, MIB, Row, size_name

ROUNDS = 7
SIZES = [64, 4 * KIB, 64 * KIB, MIB]
ITERATIONS = {64: 20_000, 4 * KIB: 20_000, 64 * KIB: 4_000, MIB: 500}
TARGETS = {64: 1.15, MIB: 1.0}


class Round:
    """Sizes outside, programs inside."""

    def __init__(self, runner, quick):
        self.runner = runner
        self.quick = quick

    def count(self, size):
        return ITERATIONS[size] // 4 if self.quick else ITERATIONS[size]

    def hop(self, size):
        cores = ",".join(str(core) for core in self.runner.cores)
        row = self.runner.rows([self.runner.ours("npu-bench"), "lat", "--fabric", "ofi+tcp", "--json", "-", "--cores", cores, "--touch",
                                "none", "-s", str(size), "-n", str(self.count(size))])[0]
        return {f"hop {size}": row["one_way_us"]["p50"], f"hop avg {size}": row["one_way_us"]["avg"]}

    def libfabric(self, size):
        port = free_port()
        command = ["fi_pingpong", "-p", "tcp", "-e", "msg", "-I", str(self.count(size)), "-S", str(size)]
        output = self.runner.pair(port, [*command, "-B", port], [*command, "-P", port, "127.0.0.1"])
        return {f"fi_pingpong {size}": foreign.fi_pingpong_us(output)}

    def all(self, _number):
        steps = []
        for size in SIZES:
            steps.append(Step(f"hop {size}", functools.partial(self.hop, size)))
            steps.append(Step(f"fi_pingpong tcp {size}", functools.partial(self.libfabric, size), optional=True))
        return steps


def wanted_rows(values):
    """fi_pingpong prints only an average, so averages are compared; the median of ours stands below."""
    rows = [Row(f"{size_name(size)} hop / fi_pingpong tcp msg (averages)", f"hop avg {size}", f"fi_pingpong {size}", TARGETS.get(size))
            for size in SIZES]
    return rows + [Row(f"{size_name(size)} hop, median", f"hop {size}", None) for size in SIZES]
