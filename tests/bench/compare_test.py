#!/usr/bin/env python3
"""bench/compare and bench/instructions without a machine to measure: what others' tools print, ratios, verdicts, the table."""

import contextlib
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "tests/tools/npu_bench/fixtures"
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "bench/compare.d"))
import callgrind  # noqa: E402  pylint: disable=wrong-import-position
import foreign  # noqa: E402  pylint: disable=wrong-import-position
import guest  # noqa: E402  pylint: disable=wrong-import-position
import measuring  # noqa: E402  pylint: disable=wrong-import-position
import ofi_rounds  # noqa: E402  pylint: disable=wrong-import-position
import runner as runners  # noqa: E402  pylint: disable=wrong-import-position
import shm_rounds  # noqa: E402  pylint: disable=wrong-import-position
import table  # noqa: E402  pylint: disable=wrong-import-position
import verbs_rounds  # noqa: E402  pylint: disable=wrong-import-position

FI_PINGPONG = """bytes   #sent   #ack     total       time     MB/sec    usec/xfer   Mxfers/sec
64      200     =200     25k         0.76s      0.03    1903.42       0.00
"""
UCX = """iterations,50.0_percentile_lat,avg_lat,overall_lat,avg_bw,overall_bw,avg_mr,overall_mr
  50,3979.000,4608.700,4608.700,13.56,13.56,217,217
"""


def fixture(name):
    return (FIXTURES / name).read_text(encoding="utf-8")


class Foreign(unittest.TestCase):
    """Real output of perftest 4.5, libfabric and UCX."""

    def test_perftest(self):
        row = foreign.perftest_row(fixture("ib_write_lat.txt"))
        self.assertEqual("64", row["#bytes"])
        self.assertEqual(float(row["t_typical[usec]"]), foreign.perftest_typical_us(fixture("ib_write_lat.txt")))
        self.assertLess(foreign.perftest_min_us(fixture("ib_send_lat.txt")), foreign.perftest_typical_us(fixture("ib_send_lat.txt")))
        self.assertAlmostEqual(6.85 * 1048576 / 1e9, foreign.perftest_gb_per_s(fixture("ib_write_bw_all.txt")))

    def test_fi_pingpong_and_ucx(self):
        self.assertEqual(1903.42, foreign.fi_pingpong_us(FI_PINGPONG))
        self.assertEqual(3979, foreign.ucx_p50_us(UCX))
        self.assertAlmostEqual(13.56 * 1048576 / 1e9, foreign.ucx_gb_per_s(UCX))

    def test_what_is_no_measurement_fails_with_its_text(self):
        table_of_inf = " #bytes #iterations t_min[usec] t_typical[usec]\n 64 1000 1.0 inf\n"
        for read, text, words in [(foreign.perftest_typical_us, table_of_inf, "'inf' is no measurement"),
                                  (foreign.perftest_typical_us, "Couldn't connect", "Couldn't connect"),
                                  (foreign.perftest_gb_per_s, fixture("ib_write_bw_gbits.txt"), "expected a bandwidth in MB/sec"),
                                  (foreign.fi_pingpong_us, "no\nway", "no\nway"),
                                  (foreign.ucx_p50_us, "", "expected CSV"),
                                  (foreign.ucx_p50_us, UCX.replace("3979.000", "soon"), "'soon' is no number")]:
            with self.assertRaises(runners.Failed) as caught:
                read(text)
            self.assertIn(words, str(caught.exception))


class Table(unittest.TestCase):
    """Medians, verdicts, and how they are printed."""

    ROWS = [table.Row("slower", "ours", "theirs", 1.1), table.Row("more", "ours", "theirs", 1.1, at_least=True),
            table.Row("told", "ours", "theirs"), table.Row("absent", "ours", "nobody", 1.1), table.Row("alone", "ours", None, 3)]

    def test_medians_ratios_and_verdicts(self):
        results = table.judge({"ours": [3, 1, 2], "theirs": [1, float("nan"), None, 1]}, self.ROWS)
        self.assertEqual(["MISS", "ok", "", "not measured", "ok"], [result["verdict"] for result in results])
        self.assertEqual([3, 3, 3, None, None], [result["ratio"] for result in results])  # one round has both sides and numbers

    def test_a_round_at_another_speed_moves_no_ratio(self):
        result = table.judge({"ours": [1, 1, 10], "theirs": [1, 10, 10]}, self.ROWS)[0]
        self.assertEqual((1, 10, 1, "ok"), (result["ours"], result["against"], result["ratio"], result["verdict"]))

    def test_the_printed_table(self):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            table.print_table(table.judge({"ours": [2], "theirs": [1]}, self.ROWS), 7)
        lines = printed.getvalue().splitlines()
        self.assertIn("medians of 7 interleaved rounds", lines[0])
        self.assertEqual(["slower", "2", "1", "2", "<=", "1.1", "MISS"], lines[2].split())
        self.assertEqual(["more", "2", "1", "2", ">=", "1.1", "ok"], lines[3].split())
        self.assertEqual(["told", "2", "1", "2", "-"], lines[4].split())

    def test_every_fabric_names_rows_of_values_it_measures(self):
        targets = {row.what: row.target for row in verbs_rounds.wanted_rows({}) + ofi_rounds.wanted_rows({})}
        self.assertEqual(1.10, targets["64 KiB hop / ib_write_lat"])
        self.assertEqual(0.95, targets["1 MiB GB/s / ib_write_bw, 2 in flight"])
        self.assertEqual(1.15, targets["64 B hop / fi_pingpong tcp msg (averages)"])
        self.assertEqual(1.5, {row.what: row.target for row in shm_rounds.wanted_rows({})}["64 B hop / bare cache-line ping-pong"])


class Rounds(unittest.TestCase):
    """Steps that fail, and steps that may."""

    class OfSteps:
        def __init__(self, *steps):
            self.steps = steps

        def all(self, _number):
            return self.steps

    class NoRunner:
        fair = False

    def measure(self, *steps):
        with contextlib.redirect_stderr(io.StringIO()):
            return measuring.measure(self.NoRunner(), self.OfSteps(*steps), 2)

    @staticmethod
    def fails():
        raise runners.Failed("it broke")

    def test_what_others_cannot_do_leaves_a_reason(self):
        values, reasons = self.measure(measuring.Step("ours", lambda: {"a": 1}), measuring.Step("theirs", self.fails, optional=True))
        self.assertEqual(({"a": [1, 1]}, {"theirs": "it broke"}), (values, reasons))

    def test_a_value_stands_at_the_number_of_its_round(self):
        numbers = iter(range(2))

        def fails_first():
            if next(numbers) == 0:
                self.fails()
            return {"late": 7}

        values, _ = self.measure(measuring.Step("ours", lambda: {"a": 1}), measuring.Step("theirs", fails_first, optional=True))
        self.assertEqual({"a": [1, 1], "late": [None, 7]}, values)

    def test_verbs_neighbours_run_in_every_third_round_and_targets_in_each(self):
        rounds = verbs_rounds.Round.__new__(verbs_rounds.Round)  # without a device
        names = [[step.name for step in rounds.all(number)] for number in range(3)]
        self.assertIn("ib_send_lat 64", names[0])
        for each in names:
            at = each.index("hop bw 65536 of 4")
            self.assertEqual("ib_write_bw 65536 of 4", each[at + 1])
        self.assertEqual(names[1], names[2])
        self.assertNotIn("ib_send_lat 64", names[1])

    def test_what_we_cannot_do_ends_the_run(self):
        with self.assertRaises(runners.Failed):
            self.measure(measuring.Step("ours", self.fails))

    def test_the_device_of_an_address(self):
        with tempfile.TemporaryDirectory() as folder:
            gids = pathlib.Path(folder) / "rxe0/ports/1/gids"
            gids.mkdir(parents=True)
            (gids / "0").write_text("fe80:0000:0000:0000:0000:0000:0000:0001\n")
            (gids / "1").write_text("0000:0000:0000:0000:0000:ffff:0a09:0001\n")
            self.assertEqual(("rxe0", "1"), verbs_rounds.device_of("10.9.0.1", pathlib.Path(folder)))
            with self.assertRaises(runners.Failed):
                verbs_rounds.device_of("10.9.0.2", pathlib.Path(folder))

    def test_the_guest_gets_its_own_json_file(self):
        self.assertEqual(["--fabric", "verbs", "--quick"],
                         guest.for_guest(["--fabric", "verbs", "--json", "x", "--quick", "--json=y", "--realtime"]))


class Callgrind(unittest.TestCase):
    """32 polls of an empty queue over soft-RoCE, as callgrind 3.19 wrote them."""

    def test_counts_ours_and_what_is_inside_the_provider(self):
        profile = callgrind.read_profile((ROOT / "tests/bench/fixtures/callgrind.out").read_text(encoding="utf-8"))
        self.assertEqual(3552, sum(profile.own.values()))  # the file's summary
        self.assertEqual(41 * 32, profile.outside)  # librxe's poll_cq, and the lock that it takes in libc
        self.assertEqual(70 * 32, profile.ours)

    def test_what_is_outside(self):
        for path, function, outside in [("/usr/lib/x86_64-linux-gnu/libibverbs/librxe-rdmav34.so", "0x3cc0", True),
                                        ("/usr/lib/x86_64-linux-gnu/libibverbs.so.1.14.44.0", "ibv_cmd_post_send", True),
                                        ("/usr/lib/x86_64-linux-gnu/libmlx5.so.1", "mlx5_post_send", True),
                                        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "write", True),
                                        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "__memcpy_avx_unaligned_erms", False),
                                        ("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", "operator new(unsigned long)", False),
                                        ("/src/build/release/bench/hop_instructions", "write", False)]:
            self.assertEqual(outside, callgrind.is_outside(path, function), (path, function))


class Command(unittest.TestCase):
    """The command line."""

    def test_help_and_unknown_fabrics(self):
        compare = str(ROOT / "bench/compare")
        done = subprocess.run([compare, "--help"], capture_output=True, text=True, check=True)
        self.assertIn("--fabric {shm,verbs,ofi+tcp}", done.stdout)
        done = subprocess.run([compare, "--fabric", "pigeon"], capture_output=True, text=True, check=False)
        self.assertEqual(2, done.returncode)
        self.assertIn("pigeon", done.stderr)


if __name__ == "__main__":
    unittest.main()
