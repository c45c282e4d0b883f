#!/usr/bin/env python3
"""npu-bench as its users meet it: usage, rows, counts. npu_bench_test.py NPU-BENCH FOREIGN-PEER [unittest arguments]"""

import glob
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from npu_bench_case import CORES, PROGRAMS, WATCHDOG_S, Case, main

FIXTURES = pathlib.Path(__file__).resolve().parent / "npu_bench/fixtures"
BASELINE_US_64 = 7981.40  # of ib_write_lat.txt


class Usage(Case):
    """Bad input: the value, what is allowed, exit code 2."""

    def test_names_the_value_and_what_is_allowed(self):
        for arguments, words in [
            ([], ["lat, bw, server"]),
            (["fly"], ["'fly'", "lat, bw, server"]),
            (["lat", "--fabric", "not an address"], ["'not an address'", "shm:/path"]),
            (["lat", "shm://%zz"], ["'shm://%zz'", "shm:/path"]),
            (["lat", "--fabric", "pigeon:/x"], ["'pigeon'", "fake", "shm"]),
            (["lat", "pigeon:/x"], ["'pigeon'", "fake", "shm"]),
            (["lat", "-s", "64K", "--slot-bytes", "4K"], ["65536", "larger than a slot", "1 to 4096"]),
            (["lat", "-s", "0"], ["'0'", "1 to 1099511627776"]),
            (["lat", "-s", "4X"], ["'4X'", "K, M or G"]),
            (["lat", "-s", "1024G"], ["1099511627776", "allowed: 1 to"]),
            (["lat", "--slots", "0"], ["'0'", "1 to 1024"]),
            (["lat", "--slots", "1025"], ["'1025'", "1 to 1024"]),
            (["lat", "--cores", "0,999"], ["'999'", "may run on"]),
            (["lat", "--cores", "0"], ["'0'", "0,1"]),
            (["lat", "--wait", "sleep"], ["'sleep'", "spin, adaptive or event"]),
            (["lat", "--wait", "spin", "-e"], ["--event", "--wait spin"]),
            (["lat", "--wait", "spin", "--cores", f"{CORES[0]},{CORES[0]}"], ["two cores", "adaptive or event"]),
            (["lat", "--touch", "some"], ["'some'", "none or all"]),
            (["lat", "-n", "0"], ["'0'", "1 to "]),
            (["lat", "-n", "ten"], ["'ten'", "1 to "]),
            (["lat", "-D", "0"], ["'0'", "seconds"]),
            (["lat", "-D", "1", "-n", "1"], ["--iterations", "--duration"]),
            (["lat", "-a", "-s", "64"], ["--all", "--size"]),
            (["bw", "-t", "17", "--slots", "16"], ["'17'", "1 to 16"]),
            (["lat", "--no-such-option"], ["--no-such-option", "--help"]),
            (["lat", "shm:/a", "shm:/b"], ["positional"]),
            (["lat", "shm:/a", "--fabric", "shm:/b"], ["shm:/a", "shm:/b"]),
            (["server"], ["'shm'", "shm:/"]),
            (["server", "--fabric", self.address, "--baseline", "x"], ["--baseline", "client"]),
            (["lat", "--baseline", "/dev/null"], ["/dev/null: no row with t_typical", "ib_write_lat"]),
            (["lat", "--baseline", str(FIXTURES / "ib_write_bw.txt")], ["ib_write_bw.txt: no row with t_typical"]),
            (["lat", "--baseline", str(FIXTURES / "ib_write_lat_torn.json")], ["ib_write_lat_torn.json:28: expected ':'"]),
            (["server", "--fabric", self.address, "-s", "64"], ["--size", "client"]),
        ]:
            with self.subTest(arguments=arguments):
                self.assert_refused(2, arguments, *words)

    def test_help_and_version(self):
        for arguments, word in [(["--help"], "npu-bench lat"), (["lat", "--help"], "--touch"), (["--version"], "npu-bench ")]:
            code, output, errors = self.run_bench(*arguments)
            self.assertEqual((0, ""), (code, errors))
            self.assertIn(word, output)

    def test_a_server_that_is_not_there(self):
        self.assert_refused(1, ["lat", self.address], f"{self.folder}/bench")

    def test_a_json_file_that_cannot_be_written(self):
        self.assert_refused(1, ["lat", "--json", f"{self.folder}/no/file", "-n", "1"], f"{self.folder}/no/file")

    def test_a_baseline_that_is_not_there(self):
        self.assert_refused(1, ["lat", "--baseline", f"{self.folder}/none"], f"--baseline: reading '{self.folder}/none'")

    @unittest.skipIf(glob.glob("/sys/class/infiniband/*"), "this machine has an RDMA device")
    def test_verbs_without_a_device_names_the_next_step(self):
        os.environ.pop("NPF_VERBS_ADDRESS", None)
        self.assert_refused(1, ["lat", "--fabric", "verbs"], "npu-ctl doctor", "scripts/rxe run", "NPF_VERBS_ADDRESS")

    def test_an_address_that_cannot_be_listened_at(self):
        self.assert_refused(1, ["lat", "--fabric", f"shm:{self.folder}/no/socket"], f"{self.folder}/no/socket")


class Rows(Case):
    """The table and the JSON."""

    def rows(self, *arguments):
        code, output, errors = self.run_bench(*arguments, "--json", "-")
        self.assertEqual(0, code, errors)
        return [json.loads(line) for line in output.splitlines()]

    def test_latency_rows_follow_the_schema(self):
        rows = self.rows("lat", "-s", "64", "-s", "4K", "-n", "200")
        self.assertEqual([64, 4096], [row["bytes"] for row in rows])
        for row in rows:
            self.assertEqual(("npu-bench/1", "hop_lat", "shm"), (row["schema"], row["test"], row["fabric"]))
            self.assertEqual(200, row["iterations"])
            latency = row["one_way_us"]
            ordered = [latency[name] for name in ("min", "p50", "p99", "p999", "max")]
            self.assertEqual(sorted(ordered), ordered)
            self.assertTrue(latency["min"] <= latency["avg"] <= latency["max"])
            self.assertGreater(latency["min"], 0)
            self.assertEqual({"copies", "allocations", "syscalls", "wakeups"}, set(row["per_hop"]))
            self.assertIn(row["wait"], ("spin", "adaptive"))
            self.assertEqual(2, len(row["cores"]))
            self.assertTrue(row["in_place"] and row["complete"])
            self.assertIsInstance(row["commit"], str)

    def test_bandwidth_rows_follow_the_schema(self):
        (row,) = self.rows("bw", "-s", "64K", "-n", "500", "-t", "4")
        self.assertEqual(("hop_bw", 4, "all"), (row["test"], row["in_flight"], row["touch"]))
        self.assertGreater(row["gb_per_s"], 0)
        self.assertGreaterEqual(row["gb_per_s_peak"] * 1.000001, row["gb_per_s"])
        self.assertAlmostEqual(row["gb_per_s"], row["mhops_per_s"] * row["bytes"] / 1000, delta=row["gb_per_s"] / 100)

    def test_every_way_to_wait_and_touch_and_send(self):
        same = f"{CORES[0]},{CORES[0]}"
        for arguments in (["-e"], ["-e", "--cores", same], ["--wait", "adaptive"], ["--wait", "adaptive", "--cores", same],
                          ["--touch", "all"], ["--copy"], ["--copy", "--touch", "all"], ["--slots", "1"], ["--slots", "2"],
                          ["--slot-bytes", "1M"]):
            for test in ("lat", "bw"):
                with self.subTest(test=test, arguments=arguments):
                    (row,) = self.rows(test, *arguments, "-n", "100", "-s", "5000")
                    self.assertEqual(100, row["iterations"])
                    self.assertEqual(1 if "--copy" in arguments else 0, row["per_hop"]["copies"])

    def test_the_table_says_that_one_way_is_half_the_round_trip(self):
        code, output, errors = self.run_bench("lat", "-n", "100")
        self.assertEqual(0, code, errors)
        self.assertIn("one way = half the round trip", output)
        self.assertRegex(output, r"#bytes +#iterations +min +p50 +avg +p99 +p99\.9 +max +\[usec\]")
        self.assertRegex(output, re.compile(r"^ +64 +100( +[0-9.]+){6}$", re.MULTILINE))

    def test_json_into_a_file_beside_the_table(self):
        path = self.folder / "rows.json"
        code, output, _ = self.run_bench("bw", "-n", "100", "--json", str(path))
        self.assertEqual(0, code)
        self.assertRegex(output, r"peak +avg \[GB/s\] +rate \[Mhop/s\]")
        self.assertEqual("hop_bw", json.loads(path.read_text())["test"])

    def test_a_baseline_stands_beside_the_rows_of_its_sizes(self):
        table = FIXTURES / "ib_write_lat.txt"
        rows = self.rows("lat", "-n", "50", "-s", "64", "-s", "128", "--baseline", str(table))
        self.assertEqual(BASELINE_US_64, rows[0]["baseline_us"])
        self.assertAlmostEqual(rows[0]["one_way_us"]["p50"] / BASELINE_US_64, rows[0]["vs_baseline"], places=4)
        self.assertEqual((None, None), (rows[1]["baseline_us"], rows[1]["vs_baseline"]))
        (row,) = self.rows("bw", "-n", "50", "-s", "64K", "--baseline", str(FIXTURES / "ib_write_bw.txt"))
        self.assertAlmostEqual(row["gb_per_s"] / row["baseline_gb_per_s"], row["vs_baseline"], delta=row["vs_baseline"] / 1e4)
        code, output, errors = self.run_bench("lat", "-n", "50", "-s", "64", "-s", "128", "--baseline", str(table))
        self.assertEqual(0, code, errors)
        self.assertRegex(output, r"\[usec\] +baseline +vs baseline\n")
        self.assertRegex(output, re.compile(rf"^ +64 .* {BASELINE_US_64} +[0-9.e-]+$", re.MULTILINE))
        self.assertRegex(output, re.compile(r"^ +128 .* - +-$", re.MULTILINE))

    def test_what_is_no_measurement_in_a_baseline_is_told(self):
        path = self.folder / "inf.txt"
        path.write_text(" #bytes #iterations t_typical[usec]\n 64 1000 inf\n")
        code, output, errors = self.run_bench("lat", "-n", "50", "--baseline", str(path))
        self.assertEqual(0, code)
        self.assertIn(f"{path}:2: t_typical of 64 bytes is 'inf'", errors)
        self.assertRegex(output, re.compile(r"^ +64 .* - +-$", re.MULTILINE))

    def test_the_fake_fabric_in_one_process(self):
        (row,) = self.rows("lat", "--fabric", "fake", "-n", "50")
        self.assertEqual("fake", row["fabric"])

    def test_a_duration_ends_the_run(self):
        (row,) = self.rows("lat", "-D", "0.2")
        self.assertGreater(row["iterations"], 0)


class Counting(Case):
    """The zeros of a busy hop, counted by npu-bench and, for system calls, by strace."""

    def setUp(self):
        super().setUp()
        if len(CORES) < 2:
            self.skipTest("a busy hop needs two cores")

    def test_a_busy_hop_copies_and_allocates_nothing(self):
        for test in ("lat", "bw"):
            code, output, errors = self.run_bench(test, "-n", "20000", "--json", "-", "--wait", "spin")
            self.assertEqual(0, code, errors)
            per_hop = json.loads(output)["per_hop"]
            self.assertEqual(0, per_hop["copies"])
            # A sanitizer's runtime allocates for us and makes a system call of its own now and then.
            sanitized = per_hop["allocations"] is None
            if sanitized or per_hop["syscalls"] is None:
                self.assertIn("not counted", errors)
            if not sanitized:
                self.assertEqual(0, per_hop["allocations"])
            if per_hop["syscalls"] is not None:
                self.assertLessEqual(per_hop["syscalls"], 0.01 if sanitized else 0)

    def test_the_counters_count(self):
        code, output, errors = self.run_bench("lat", "-n", "500", "--json", "-", "-e", "--copy")
        self.assertEqual(0, code, errors)
        per_hop = json.loads(output)["per_hop"]
        self.assertEqual(1, per_hop["copies"])
        if per_hop["syscalls"] is not None:
            self.assertGreater(per_hop["syscalls"], 1)

    def test_system_calls_do_not_grow_with_the_iterations(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        few, many = (self.system_calls(iterations) for iterations in (2_000, 20_000))
        self.assertLess(many - few, 500, "system calls grew with the iterations")

    def system_calls(self, iterations):
        summary = self.folder / f"strace-{iterations}"
        command = ["strace", "-f", "-c", "-o", str(summary), PROGRAMS["npu-bench"], "lat", "--wait", "spin", "--warmup", "100", "-n",
                   str(iterations)]
        # Leaks cannot be looked for under a tracer.
        done = subprocess.run(command, capture_output=True, text=True, timeout=WATCHDOG_S, check=False,
                              env=self.environment(ASAN_OPTIONS="detect_leaks=0"))
        if done.returncode != 0 and "ptrace" in done.stderr:
            self.skipTest("strace may not trace here")
        self.assertEqual(0, done.returncode, done.stderr)
        # Waiting for the other process to end polls, however long the measurement took before.
        rows = [line.split() for line in summary.read_text().splitlines()]
        return sum(int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit()
                   and row[-1] not in ("total", "wait4", "clock_nanosleep"))


if __name__ == "__main__":
    main()
