"""What one round measures over shared memory: the hop, its limits (bench/baseline) and its neighbours on one host."""

import json
import os

from measuring import Step
from runner import free_port
from table import KIB, MIB, Row, size_name

ROUNDS = 7
HANDOVER_SIZES = [4 * KIB, 64 * KIB, MIB, 16 * MIB, 64 * MIB]
TOUCHED_SIZES = [64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB]
BYTES_A_RUN = 1 << 30     # of the rows that move every byte
RING_BYTES_MIN = 8 * MIB  # of the same rows


def iterations_for(size, most):
    return max(20, min(most, BYTES_A_RUN // size))


def slots_for(size):
    """So that a ring is larger than a core's own cache: in use, a slot was last read by another core, not written by this one."""
    return max(16, RING_BYTES_MIN // size)


class Round:
    """What one round measures; each method returns {name: value in microseconds or a count}."""

    def __init__(self, runner, quick):
        self.runner = runner
        self.small = 50_000 if quick else 200_000
        self.events = 2_000 if quick else 5_000
        self.touched_most = 500 if quick else 2_000
        self.sizes = TOUCHED_SIZES[::2] if quick else TOUCHED_SIZES

    def cores(self, same=False):
        first, second = self.runner.cores
        return ["--cores", f"{first},{first if same else second}"]

    def lat(self, *options, sizes=(64,), iterations=None, same=False):
        command = [self.runner.ours("npu-bench"), "lat", "--json", "-", *self.cores(same), *options]
        for size in sizes:
            command += ["-s", str(size)]
        return self.runner.rows(command + ["-n", str(iterations or self.small)])

    def baseline(self, name, *options, size=64, iterations=None, same=False):
        command = [self.runner.ours(f"baseline_{name}"), *self.cores(same), "-s", str(size), "-n",
                   str(iterations or self.small), *options]
        return self.runner.rows(command)[0]

    def cache_line(self):
        return {"bare": self.baseline("cache_line_pingpong")["one_way_us"]["p50"]}

    def hop_64(self):
        row = self.lat("--touch", "all")[0]
        counts = {f"{key} per hop": row["per_hop"][key] for key in ("copies", "allocations", "syscalls")}
        return {"hop 64": row["one_way_us"]["p50"], "hop 64 avg": row["one_way_us"]["avg"], **counts}

    def ucx(self):
        port = free_port()
        environment = {**os.environ, "UCX_TLS": "posix,self", "UCX_WARN_UNUSED_ENV_VARS": "n"}
        output = self.runner.pair(
            port, ["ucx_perftest", "-p", port],
            ["ucx_perftest", "127.0.0.1", "-p", port, "-t", "ucp_am_lat", "-s", "64", "-n", str(self.small), "-f", "-v"],
            env=environment)
        header, values = [line.split(",") for line in output.strip().splitlines()[-2:]]
        return {"ucp_am_lat": float(dict(zip(header, values))["50.0_percentile_lat"])}

    def libfabric(self):
        port = free_port()
        options = ["-p", "shm", "-e", "rdm", "-I", str(self.small), "-S", "64"]
        output = self.runner.pair(port, ["fi_pingpong", *options, "-B", port], ["fi_pingpong", *options, "-P", port, "127.0.0.1"])
        header, values = [line.split() for line in output.strip().splitlines()[-2:]]
        return {"fi_pingpong avg": float(values[header.index("usec/xfer")])}

    def handover(self):
        rows = self.lat("--touch", "none", sizes=[64, *HANDOVER_SIZES], iterations=self.small // 4)
        return {f"handover {row['bytes']}": row["one_way_us"]["p50"] for row in rows}

    def beside(self, ours_name, options, baseline, field):
        """Sizes that move every byte: our hop, then its baseline, over rings of the same shape."""
        values = {}
        for size in self.sizes:
            count = iterations_for(size, self.touched_most)
            shape = ["--slots", str(slots_for(size)), "--warmup", str(max(count // 10, slots_for(size)))]
            row = self.lat(*options, *shape, sizes=[size], iterations=count)[0]
            values[f"{ours_name} {size}"] = row["one_way_us"]["p50"]
            values[f"{baseline} {size}"] = self.baseline(baseline, *shape, size=size, iterations=count)[field]["p50"]
        return values

    def touched(self):
        return self.beside("touched", ["--touch", "all"], "copied_pingpong", "one_way_us")

    def copied(self):
        return self.beside("copied", ["--touch", "none", "--copy"], "memcpy", "copy_us")

    def stage(self):
        command = ["taskset", "-c", str(self.runner.cores[0]), self.runner.ours("hop_micro"), "--benchmark_filter=^stage/",
                   "--benchmark_format=json"]
        benches = json.loads(self.runner.run(command))["benchmarks"]
        return {"stage " + bench["name"].split("/")[1]: bench["real_time"] / 1000 for bench in benches}

    def events_same_core(self):
        ours = self.lat("--wait", "event", iterations=self.events, same=True)[0]
        bare = self.baseline("eventfd_pingpong", iterations=self.events, same=True)
        return {"event same core": ours["one_way_us"]["p50"], "eventfd same core": bare["one_way_us"]["p50"]}

    def events_cross_core(self):
        ours = self.lat("--wait", "event", iterations=self.events)[0]
        bare = self.baseline("eventfd_pingpong", iterations=self.events)
        return {"event cross core": ours["one_way_us"]["p50"], "eventfd cross core": bare["one_way_us"]["p50"]}

    def all(self, _number):
        steps = [self.cache_line, self.hop_64, self.ucx, self.libfabric, self.handover, self.stage,
                 self.events_same_core, self.events_cross_core, self.touched, self.copied]
        return [Step(step.__name__, step, optional=step.__name__ in ("ucx", "libfabric"),
                     fair=step.__name__.startswith("events")) for step in steps]


def wanted_rows(values):
    rows = [
        ("64 B hop / bare cache-line ping-pong", "hop 64", "bare", 1.5),
        ("64 B hop / ucp_am_lat, posix", "hop 64", "ucp_am_lat", 0.7),
        ("64 B hop / fi_pingpong shm rdm (averages)", "hop 64 avg", "fi_pingpong avg", 0.4),
    ]
    rows += [(f"hand-over of {size_name(size)} / own 64 B", f"handover {size}", "handover 64", 1.3)
             for size in HANDOVER_SIZES]
    for size in TOUCHED_SIZES:
        if f"touched {size}" in values:
            rows.append((f"{size_name(size)} written and read / the same with one memcpy between", f"touched {size}",
                         f"copied_pingpong {size}", 0.7))
    for size in TOUCHED_SIZES:
        if f"copied {size}" in values:
            rows.append((f"{size_name(size)} from a buffer / one memcpy", f"copied {size}", f"memcpy {size}", 1.1))
    rows += [(f"event mode, {how} / bare eventfd ping-pong", f"event {how}", f"eventfd {how}", 1.3)
             for how in ("same core", "cross core")]
    rows += [(f"a stage's own cost, {size_name(int(name.split()[1]))} [us]", name, None, 0.1)
             for name in values if name.startswith("stage ")]
    rows += [(f"{what} per 64 B hop, busy", f"{what} per hop", None, 0) for what in ("copies", "allocations", "syscalls")]
    return [Row(*row) for row in rows]
