#!/usr/bin/env python3
"""npu-ctl as its users meet it, on the machine as it is. npu_ctl_test.py NPU-CTL [unittest arguments]"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

WATCHDOG_S = 60
SEVERITIES = {"ok", "note", "warning", "problem"}
PROGRAM = None


def run(*arguments):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=WATCHDOG_S, check=False)
    return done.returncode, done.stdout, done.stderr


class Usage(unittest.TestCase):
    """Bad input: the value, what is allowed, exit code 2, nothing on standard output."""

    def test_names_the_value_and_what_is_allowed(self):
        for arguments, words in [
            ([], ["no command", "doctor"]),
            (["fly"], ["'fly'", "doctor"]),
            (["doctor", "10.9.0.1"], ["positional", "--help"]),
            (["doctor", "--jsno"], ["--jsno", "--help"]),
            (["doctor", "--to"], ["--to", "--help"]),
            (["doctor", "--to", "nonsense"], ["'nonsense'", "shm:/path", "verbs://host:port"]),
            (["doctor", "--to", "pigeon://10.9.0.1:1"], ["'pigeon'", "shm"]),
            (["doctor", "--to", "verbs:///x"], ["verbs://host:port"]),
        ]:
            with self.subTest(arguments):
                code, output, errors = run(*arguments)
                self.assertEqual((2, ""), (code, output))
                for word in words:
                    self.assertIn(word, errors)

    def test_help_and_version(self):
        for arguments, word in [(["--help"], "npu-ctl doctor"), (["doctor", "--help"], "Exit code"),
                                (["--version"], "npu-ctl ")]:
            code, output, errors = run(*arguments)
            self.assertEqual((0, ""), (code, errors))
            self.assertIn(word, output)


class Doctor(unittest.TestCase):
    """Real answers; which ones depends on the machine, their form does not."""

    def examine(self, *arguments):
        code, output, errors = run("doctor", "--json", *arguments)
        self.assertEqual("", errors)
        seen = json.loads(output)
        self.assertEqual("npu-ctl-doctor/1", seen["schema"])
        problems = [finding for finding in seen["findings"] if finding["severity"] == "problem"]
        self.assertEqual(1 if problems else 0, code)
        return seen

    def finding(self, seen, what):
        return next(finding for finding in seen["findings"] if finding["what"] == what)

    def test_every_finding_says_what_and_why_and_those_to_mend_how(self):
        for finding in self.examine()["findings"]:
            self.assertIn(finding["severity"], SEVERITIES)
            self.assertTrue(finding["what"] and finding["value"] and finding["why"], finding)
            if finding["severity"] in ("warning", "problem"):
                self.assertTrue(finding["mend"], finding)

    def test_tells_the_host_as_the_kernel_does(self):
        host = self.examine()["host"]
        self.assertEqual(pathlib.Path("/proc/sys/kernel/osrelease").read_text().strip(), host["kernel"])
        self.assertGreater(host["memory_total_bytes"], host["memory_available_bytes"])
        self.assertTrue(host["cores"])

    def test_works_without_rdma_and_says_so(self):
        seen = self.examine()
        if seen["rdma_devices"]:
            self.skipTest("this machine has an RDMA device")
        finding = self.finding(seen, "rdma-devices")
        self.assertIn("verbs does not", finding["why"])
        self.assertIn("shm and ofi+tcp work", finding["why"])

    def test_lists_each_rdma_device_with_its_ports(self):
        devices = self.examine()["rdma_devices"]
        if not devices:
            self.skipTest("no RDMA device here")
        for device in devices:
            if device["problem"] is None:
                self.assertGreater(device["limits"]["qp_max"], 0)
                self.assertTrue(device["ports"])

    def test_an_address_in_a_folder_is_shared_memory(self):
        with tempfile.TemporaryDirectory() as folder:
            address = f"shm:{folder}/npu0"
            seen = self.examine("--to", address)
            self.assertTrue(seen["addresses"][0]["usable"])
            self.assertEqual("ok", self.finding(seen, f"to {address}")["severity"])
            absent = f"shm:{folder}/no/npu0"
            seen = self.examine("--to", absent)
            self.assertFalse(seen["addresses"][0]["usable"])
            self.assertIn("mkdir -p", self.finding(seen, f"to {absent}")["why"])

    def test_rdma_over_loopback_is_a_problem_and_tcp_is_none(self):
        seen = self.examine("--to", "verbs://127.0.0.1:7472", "--to", "127.0.0.1")
        over_verbs, any_backend = seen["addresses"]
        self.assertFalse(over_verbs["usable"])
        self.assertEqual(["verbs", "ofi+tcp"], [answer["backend"] for answer in any_backend["answers"]])
        built = {backend["scheme"] for backend in seen["backends"] if backend["built"]}
        self.assertEqual("ofi" in built, any_backend["usable"])

    def test_an_address_without_a_route_says_so(self):
        seen = self.examine("--to", "255.255.255.255")
        self.assertFalse(seen["addresses"][0]["usable"])
        self.assertNotIn("chosen", seen["addresses"][0]["answers"][0].get("rdma", {}))

    def test_the_table_has_the_findings_of_the_json(self):
        table = run("doctor")[1]
        for finding in self.examine()["findings"]:
            self.assertIn(f"{finding['what']}: ", table)


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
