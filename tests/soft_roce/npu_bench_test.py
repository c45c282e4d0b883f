#!/usr/bin/env python3
"""npu-bench over this machine's RDMA device: runs without an address, and a hop copies and allocates nothing.

npu_bench_test.py NPU-BENCH [unittest arguments]
"""

import json
import subprocess
import sys
import unittest

WATCHDOG_S = 90
PROGRAM = []


class OverVerbs(unittest.TestCase):
    """--fabric verbs is the address of the first usable device."""

    def row(self, *arguments):
        done = subprocess.run([*PROGRAM, *arguments, "--fabric", "verbs", "--json", "-"], capture_output=True, text=True,
                              timeout=WATCHDOG_S, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        row = json.loads(done.stdout)
        self.assertEqual(("verbs", True), (row["fabric"], row["complete"]))
        self.assertEqual(0, row["per_hop"]["copies"])
        # A sanitizer's runtime allocates for us, so it is not counted there.
        self.assertIn(row["per_hop"]["allocations"], (0, None), done.stderr)
        return row

    def test_latency(self):
        for size in ("64", "64K"):
            self.assertGreater(self.row("lat", "-n", "100", "-s", size)["one_way_us"]["min"], 0)

    def test_bandwidth(self):
        self.assertGreater(self.row("bw", "-n", "64", "-s", "64K")["gb_per_s"], 0)


if __name__ == "__main__":
    PROGRAM.append(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
