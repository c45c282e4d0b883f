#!/usr/bin/env python3
"""scripts/rxe with real guests: what comes back of a command, what is left behind, and what a pair can do to each other.

Skipped (77) where no guest can be booted, unless NPF_REQUIRE_FABRICS names verbs.
"""

import contextlib
import hashlib
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "rxe"
EXIT_SKIPPED = 77
# What a hang is; nothing here is meant to take long.
WATCHDOG_S = 100


def environment(folder, **more):
    """Ours, with a folder of temporary files of its own, so that what is left behind shows."""
    kept = {name: value for name, value in os.environ.items() if name != "NPF_VERBS_ADDRESS"}
    return kept | {"TMPDIR": str(folder)} | more


def qemus_with(word):
    """Processes of QEMU that have the word in their command line."""
    found = []
    for each in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            command = each.read_bytes()
            if b"qemu-system" in command and word.encode() in command:
                found.append(each.parent.name)
    return found


def await_true(condition, seconds=WATCHDOG_S):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


class Rxe(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def start(self, *arguments, **options):
        process = subprocess.Popen([SCRIPT, *arguments], env=environment(self.folder), **options)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        return process

    def run_rxe(self, *arguments, cwd=None, **more):
        """(exit code, stdout, stderr), both as bytes; nothing may be left behind."""
        done = subprocess.run([SCRIPT, *arguments], env=environment(self.folder, **more), cwd=cwd, capture_output=True,
                              timeout=2 * WATCHDOG_S, check=False)
        self.assert_nothing_left()
        return done.returncode, done.stdout, done.stderr

    def run_in_guest(self, *arguments, **more):
        return self.run_rxe("run", "--timeout", str(WATCHDOG_S), *arguments, **more)

    def assert_nothing_left(self):
        self.assertEqual(qemus_with(str(self.folder)), [])
        self.assertEqual(list(self.folder.glob("npf-rxe-*")), [])


class Command(Rxe):
    def test_comes_back_with_its_output_byte_by_byte_and_its_exit_code(self):
        every_byte = bytes(range(256)) * 4096
        (self.folder / "bytes").write_bytes(every_byte)
        command = f"cat {self.folder}/bytes; printf 'no newline' >&2; exit 7"
        code, out, err = self.run_in_guest("--", "sh", "-c", command)
        self.assertEqual((code, err), (7, b"no newline"))
        self.assertEqual(hashlib.sha256(out).hexdigest(), hashlib.sha256(every_byte).hexdigest())

    def test_has_an_rdma_device_its_folder_its_words_and_its_environment(self):
        show = ('printf "%s|" "$PWD" "$NPF_VERBS_ADDRESS" "$NPF_ONE" "$NPF_TWO" "$SECRET" "$@"; '
                'ibv_devinfo -d rxe0 | grep active_mtu')
        code, out, err = self.run_in_guest("--env", "NPF_TWO=2 $x", "--", "sh", "-c", show, "sh", "a b", "", "'*\n",
                                           cwd=self.folder, NPF_ONE="1", SECRET="not for guests")
        self.assertEqual((code, err), (0, b""))
        words, _, mtu = out.decode().rpartition("|")
        self.assertEqual(words.split("|"), [str(self.folder), "10.9.0.1", "1", "2 $x", "", "a b", "", "'*\n"])
        self.assertIn("4096", mtu)

    def test_that_is_not_there_is_127_and_one_that_a_signal_ended_128_more(self):
        self.assertEqual(self.run_in_guest("--", "no-such-command")[0], 127)
        self.assertEqual(self.run_in_guest("--", "sh", "-c", "kill -9 $$")[0], 128 + signal.SIGKILL)

    def test_changes_files_of_this_machine_only_where_they_are_shared(self):
        shared = self.folder / "with, comma"
        shared.mkdir()
        touch = f"touch '{self.folder}/private' '{shared}/result' && mkfifo /tmp/pipe /run/pipe && ls '{self.folder}'"
        code, out, err = self.run_in_guest("--share", shared, "--", "sh", "-c", touch)
        self.assertEqual((code, err), (0, b""))
        self.assertIn(b"private", out)
        self.assertEqual(sorted(path.name for path in self.folder.rglob("*")), ["result", "with, comma"])

    def test_does_not_hold_up_the_end_by_what_it_left_running(self):
        code, out, _ = self.run_in_guest("--", "sh", "-c", "sleep 1000 & echo done")
        self.assertEqual((code, out), (0, b"done\n"))

    def test_ends_when_nobody_reads_on(self):
        process = self.start("run", "--", "yes", stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"y\n")
        process.stdout.close()
        self.assertEqual(process.wait(timeout=WATCHDOG_S), 128 + signal.SIGPIPE)
        self.assert_nothing_left()


class End(Rxe):
    def test_of_what_takes_too_long_is_124(self):
        code, _, err = self.run_rxe("run", "--timeout", "0.5", "--", "sleep", "1000")
        self.assertEqual(code, 124)
        self.assertIn(b"timed out", err)

    def test_of_a_guest_is_125_with_the_last_words_of_its_console(self):
        code, _, err = self.run_in_guest("--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 1000")
        self.assertEqual(code, 125)
        self.assertIn(b"sysrq triggered crash", err)

    def test_by_a_signal_leaves_nothing_behind(self):
        command = ["run", "--", "sh", "-c", "echo there; sleep 1000"]
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number), self.start(*command, stdout=subprocess.PIPE) as process:
                self.assertEqual(process.stdout.readline(), b"there\n")
                process.send_signal(number)
                self.assertEqual(process.wait(timeout=WATCHDOG_S), 128 + number)
                self.assert_nothing_left()

    def test_by_sigkill_leaves_no_guest_behind(self):
        process = self.start("run", "--pair", "--", "sleep", "1000")
        self.assertTrue(await_true(lambda: len(qemus_with(str(self.folder))) == 2))
        process.kill()
        self.assertTrue(await_true(lambda: not qemus_with(str(self.folder))))


class Shell(Rxe):
    def test_is_interactive_and_leaves_the_terminal_as_it_was(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        before = subprocess.check_output(["stty", "-g"], stdin=theirs)
        process = self.start("run", "--shell", "--timeout", str(WATCHDOG_S), stdin=theirs, stdout=theirs, stderr=theirs,
                             start_new_session=True)
        self.talk(ours, [(b"# ", b"echo there; sleep 1000\r"), (b"there\r", b"\x03"),
                         (b"# ", b"echo $((6 * 7)); exit 3\r"), (b"42", b"")])
        self.assertEqual(process.wait(timeout=WATCHDOG_S), 3)
        self.assertEqual(subprocess.check_output(["stty", "-g"], stdin=theirs), before)
        os.close(theirs)

    def talk(self, terminal, lines):
        """Waits for words, and answers."""
        said = b""
        at = 0
        for expected, answer in lines:
            while expected not in said[at:] and select.select([terminal], [], [], WATCHDOG_S)[0]:
                said += os.read(terminal, 1 << 16)
            self.assertIn(expected, said[at:])
            at = said.index(expected, at) + len(expected)
            os.write(terminal, answer)


class Pair(Rxe):
    def test_talks_over_rdma_and_says_who_said_what(self):
        serve = "rping -s -a $NPF_VERBS_ADDRESS -C 3 >/dev/null; echo served"
        ping = "until rping -c -a $NPF_RXE_PEER -C 3 >/dev/null 2>&1; do sleep 0.1; done; echo $NPF_RXE_ROLE pinged"
        code, out, _ = self.run_in_guest("--pair", "--netem", "delay 1ms", "--b", serve, "--", "sh", "-c", ping)
        self.assertEqual((code, sorted(out.splitlines())), (0, [b"a| a pinged", b"b| served"]))

    def test_returns_the_first_code_that_is_not_0(self):
        for a, b, expected in [(0, 4, 4), (3, 4, 3)]:
            with self.subTest(a=a, b=b):
                self.assertEqual(self.run_in_guest("--pair", "--b", f"exit {b}", "--", "sh", "-c", f"exit {a}")[0], expected)

    def test_can_lose_its_link_and_one_of_the_two(self):
        asks = ("carrier=/sys/class/net/eth0/carrier; rxe-control link-off && cat $carrier; rxe-control link-on && cat $carrier; "
                "rxe-control kill-peer && echo killed; exit 5")
        code, out, err = self.run_in_guest("--pair", "--b", "sleep 1000", "--", "sh", "-c", asks)
        self.assertEqual((code, out.split(), err), (5, b"a| 0 a| 1 a| killed".split(), b""))

    def test_sends_on_when_the_other_was_switched_off_in_the_middle_of_it(self):
        flood = ("import socket, subprocess, threading\n"
                 "wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                 "wire.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)\n"
                 "def send(datagrams):\n"
                 "    for _ in range(datagrams): wire.sendto(bytes(1400), ('10.8.0.255', 9))\n"
                 "killer = threading.Thread(target=subprocess.check_call, args=(['rxe-control', 'kill-peer'],))\n"
                 "killer.start()\n"
                 "while killer.is_alive(): send(10)\n"
                 "wire.settimeout(5)\n"
                 "send(5000)\n"
                 "print('sent')\n")
        code, out, err = self.run_in_guest("--pair", "--b", "sleep 1000", "--", "python3", "-c", flood)
        self.assertEqual((code, out, err), (0, b"a| sent\n", b""))

    def test_does_not_wait_for_one_that_never_gets_ready(self):
        code, _, err = self.run_in_guest("--pair", "--netem", "lose 1%", "--", "true")
        self.assertEqual(code, 2)
        self.assertIn(b"""--netem 'lose 1%': tc: What is "lose"?""", err)


class WithoutGuest(Rxe):
    def test_wrong_use_says_what_is_right(self):
        for arguments, words in [
            (["run"], b"write it behind --"),
            (["run", "--netem", "loss 1%", "--", "true"], b"--pair or --link veth"),
            (["run", "--b", "true", "--", "true"], b"--b is for --pair"),
            (["run", "--shell", "--pair"], b"exclude each other"),
            (["run", "--env", "A", "--", "true"], b"NAME=VALUE"),
            (["run", "--share", "/no/such", "--", "true"], b"/no/such is not a folder"),
        ]:
            with self.subTest(arguments):
                code, _, err = self.run_rxe(*arguments)
                self.assertEqual(code, 2)
                self.assertIn(words, err)

    def test_missing_tools_are_named_with_their_packages(self):
        (self.folder / "env").symlink_to("/usr/bin/env")
        (self.folder / "python3").symlink_to(sys.executable)
        code, _, err = self.run_rxe("run", "--", "true", PATH=str(self.folder))
        self.assertEqual(code, 2)
        for words in [b"qemu-system-x86_64 (package qemu-system-x86)", b"cpio (package cpio)", b"scripts/setup --for rxe"]:
            self.assertIn(words, err)

    def test_an_address_of_this_machine_is_used_without_one(self):
        code, out, err = self.run_rxe("run", "--", "sh", "-c", "echo $NPF_VERBS_ADDRESS; exit 6", NPF_VERBS_ADDRESS="192.0.2.1")
        self.assertEqual((code, out), (6, b"192.0.2.1\n"))
        self.assertIn(b"running on this machine", err)
        self.assertEqual(self.run_rxe("run", "--", "no-such-command", NPF_VERBS_ADDRESS="192.0.2.1")[0], 127)
        code, _, err = self.run_rxe("run", "--pair", "--", "true", NPF_VERBS_ADDRESS="192.0.2.1")
        self.assertEqual(code, 2)
        self.assertIn(b"Unset it", err)


def main():
    ready = subprocess.run([SCRIPT, "setup"], stdout=subprocess.DEVNULL, check=False).returncode == 0
    if not ready and "verbs" not in os.environ.get("NPF_REQUIRE_FABRICS", "").split(","):
        print("SKIPPED: *** scripts/rxe was not tested; NPF_REQUIRE_FABRICS=verbs makes this a failure ***", file=sys.stderr)
        sys.exit(EXIT_SKIPPED)
    unittest.main()


if __name__ == "__main__":
    main()
