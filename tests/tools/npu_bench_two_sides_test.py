#!/usr/bin/env python3
"""npu-bench's two sides when one of them stops, dies, differs or is foreign.

npu_bench_two_sides_test.py NPU-BENCH FOREIGN-PEER [unittest arguments]
"""

import os
import re
import signal
import time

from npu_bench_case import PROGRAMS, Case, main

ROW = re.compile(r"^ +64 +\d+( +[0-9.]+){6}$", re.MULTILINE)


class Stopping(Case):
    """Signals and killed processes: partial rows, a clear error, nothing left."""

    def measure(self, *arguments):
        """Returns in the midst of the second size."""
        bench = self.start("lat", "-a", "-D", "0.3", *arguments)
        self.skip_head(bench)
        self.assertRegex(bench.stdout.readline(), ROW)
        return bench

    def skip_head(self, bench):
        for word in ("one way", "cores", "#bytes"):
            self.assertIn(word, bench.stdout.readline())

    def stop_while_measuring(self, stop, *arguments, **options):
        """How long set-up takes depends on the machine and the build, so the moment to stop is tried."""
        for seconds in (0.3, 1, 3, 9):
            bench = self.start("lat", "-D", "12", "--warmup", "0", *arguments, **options)
            self.skip_head(bench)
            time.sleep(seconds)
            stop(bench)
            code, output, errors = self.finish(bench)
            self.assertIn("stopped by", errors)
            if ROW.search(output):
                return code
        self.fail("nothing was measured in 9 s")

    def test_ctrl_c_prints_what_was_measured(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            code = self.stop_while_measuring(lambda bench, number=number: bench.send_signal(number))
            self.assertEqual(128 + number, code)

    def test_ctrl_c_of_the_whole_group_in_event_mode(self):
        code = self.stop_while_measuring(lambda bench: os.killpg(bench.pid, signal.SIGINT), "-e", start_new_session=True)
        self.assertEqual(130, code)

    def test_a_killed_child_is_an_error_that_names_it(self):
        bench = self.measure()
        child = self.child_of(bench)
        os.kill(child, signal.SIGKILL)
        code, _, errors = self.finish(bench)
        self.assertEqual(1, code)
        self.assertIn(str(child), errors)
        # Its exit or its socket's end, whichever is seen first; both name it.
        self.assertRegex(errors, "signal 9|died")

    def test_a_killed_parent_takes_its_child_along(self):
        bench = self.measure()
        self.child_of(bench)
        bench.kill()
        bench.wait()

    def test_a_stopped_child_does_not_stop_ctrl_c(self):
        bench = self.measure()
        os.kill(self.child_of(bench), signal.SIGSTOP)
        bench.send_signal(signal.SIGINT)
        self.assertEqual(130, self.finish(bench)[0])


class Server(Case):
    """Two processes that were started apart."""

    def test_serves_one_client_and_ends(self):
        server = self.start_server()
        code, output, errors = self.run_bench("bw", self.address, "-n", "100", "-s", "64", "-s", "4K", "--json", "-")
        self.assertEqual((0, 2), (code, len(output.splitlines())), errors)
        self.assertEqual(0, self.finish(server)[0])

    def test_forever_serves_the_next_client_too(self):
        server = self.start_server("--forever")
        for _ in range(3):
            self.assertEqual(0, self.run_bench("lat", self.address, "-n", "10")[0])
        server.send_signal(signal.SIGINT)
        self.assertEqual(130, self.finish(server)[0])

    def test_options_that_differ_are_shown_on_both_sides(self):
        server = self.start_server("--slots", "8", "--touch", "all")
        code, _, errors = self.run_bench("lat", self.address)
        server_code, _, server_errors = self.finish(server)
        self.assertEqual((1, 1), (code, server_code))
        for text in (errors, server_errors):
            self.assertIn("--slots: client 16, server 8", text)
            self.assertIn("--touch: client none, server all", text)

    def test_options_that_agree_are_served(self):
        server = self.start_server("--slots", "8")
        self.assertEqual(0, self.run_bench("lat", self.address, "--slots", "8", "-n", "10")[0])
        self.assertEqual(0, self.finish(server)[0])

    def test_a_second_client_is_turned_away_with_the_first_ones_pid(self):
        server = self.start_server()
        first = self.start("lat", self.address, "-D", "2")
        self.assertIn("one way", first.stdout.readline())
        second_code, _, errors = self.run_bench("lat", self.address)
        self.assertEqual(1, second_code)
        self.assertIn(f"busy with pid {first.pid}", errors)
        self.assertEqual(0, self.finish(first)[0])
        self.assertEqual(0, self.finish(server)[0])

    def test_a_killed_server_is_an_error_at_the_client(self):
        server = self.start_server()
        client = self.start("lat", self.address, "-D", "10")
        self.assertIn("one way", client.stdout.readline())
        server.kill()
        code, _, errors = self.finish(client)
        self.assertEqual(1, code)
        self.assertIn(str(server.pid), errors)
        (self.folder / "bench").unlink()  # what a killed process cannot take along

    def test_a_killed_client_is_an_error_at_the_server(self):
        server = self.start_server()
        client = self.start("lat", self.address, "-D", "10")
        self.assertIn("one way", client.stdout.readline())
        client.kill()
        code, _, errors = self.finish(server)
        self.assertEqual(1, code)
        self.assertIn(str(client.pid), errors)

    def test_a_server_that_is_stopped_says_so_to_its_client(self):
        server = self.start_server()
        client = self.start("lat", self.address, "-D", "10")
        self.assertIn("one way", client.stdout.readline())
        server.send_signal(signal.SIGINT)
        self.assertEqual(130, self.finish(server)[0])
        code, _, errors = self.finish(client)
        self.assertEqual(1, code)
        self.assertIn("stopped by a signal", errors)

    def test_a_place_that_is_taken(self):
        self.start_server()
        self.assert_refused(1, ["server", "--fabric", self.address], f"{self.folder}/bench")
        self.started[0].send_signal(signal.SIGTERM)
        self.assertEqual(143, self.finish(self.started[0])[0])


class ForeignPeer(Case):
    """A peer of another protocol version."""

    def test_a_foreign_client_is_refused_and_the_server_goes_on(self):
        server = self.start_server()
        code, output, _ = self.finish(self.start("connect", self.address, program=PROGRAMS["foreign-peer"]))
        self.assertEqual(0, code, output)
        self.assertIn("version 99", output)
        self.assertIn("this side version", output)
        self.assertEqual(0, self.run_bench("lat", self.address, "-n", "10")[0])
        self.assertEqual(0, self.finish(server)[0])

    def test_a_foreign_server_is_an_error(self):
        foreign = self.start("listen", self.address, program=PROGRAMS["foreign-peer"])
        self.assertEqual("listening\n", foreign.stdout.readline())
        self.assert_refused(1, ["lat", self.address], "version 99", "this side version")
        self.assertEqual(0, self.finish(foreign)[0])


if __name__ == "__main__":
    main()
