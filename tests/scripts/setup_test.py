#!/usr/bin/env python3
"""scripts/setup on systems made of stubs: what it would install, when it asks apt, and where it refuses."""

import os
import pathlib
import pty
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "setup"
BOOKWORM = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'

# $INSTALLED are the packages that are there; $REMOVED what apt would remove; apt-get's calls go to $CALLS.
DPKG_QUERY = """#!/bin/bash
for last; do :; done
[[ " $INSTALLED " == *" ALL "* || " $INSTALLED " == *" $last "* ]] && echo installed || echo not-installed
"""
APT_GET = """#!/bin/bash
echo "apt-get $*" >> "$CALLS"
[[ "$*" == *--simulate* && -n $REMOVED ]] && echo "Remv $REMOVED [1.74.0]"
exit 0
"""
ID = '#!/bin/bash\necho "$USER_ID"\n'
SUDO = '#!/bin/bash\necho sudo >> "$CALLS"\nexec "$@"\n'


def read_to_end(terminal):
    said = b""
    try:
        while True:
            said += os.read(terminal, 65536)
    except OSError:  # EIO: how a terminal says that the other side is closed
        os.close(terminal)
    return said.decode()


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.calls = self.folder / "calls"

    def environment(self, os_release, installed, removed, user_id, sudo, ci):
        stubs = self.folder / "bin"
        stubs.mkdir(exist_ok=True)
        programs = {"dpkg-query": DPKG_QUERY, "apt-get": APT_GET, "id": ID} | ({"sudo": SUDO} if sudo else {})
        for name, text in programs.items():
            (stubs / name).write_text(text)
            (stubs / name).chmod(0o755)
        # The real tools by link, so that a real sudo does not stand in for a missing one.
        for tool in ["awk", "bash", "cat", "env", "grep", "paste"]:
            if not (stubs / tool).exists():
                (stubs / tool).symlink_to(next(p for p in (pathlib.Path("/usr/bin", tool), pathlib.Path("/bin", tool))
                                               if p.exists()))
        (self.folder / "os-release").write_text(os_release)
        return {"PATH": str(stubs), "NPF_OS_RELEASE": str(self.folder / "os-release"), "CALLS": str(self.calls),
                "INSTALLED": installed, "REMOVED": removed, "USER_ID": str(user_id)} | ({"CI": "true"} if ci else {})

    def setup_on(self, *arguments, os_release=BOOKWORM, installed="", removed="", user_id=0, sudo=False, ci=False,
                 terminal=False):
        """(exit code, all it said, apt-get's and sudo's calls)"""
        self.calls.write_text("")
        environment = self.environment(os_release, installed, removed, user_id, sudo, ci)
        stdout = subprocess.PIPE
        if terminal:
            master, stdout = pty.openpty()
        run = subprocess.run(["/bin/bash", SCRIPT, *arguments], env=environment, stdin=subprocess.DEVNULL,
                             stdout=stdout, stderr=stdout if terminal else subprocess.STDOUT, check=False)
        if terminal:
            os.close(stdout)
            said = read_to_end(master)
        else:
            said = run.stdout.decode()
        return run.returncode, said, self.calls.read_text().splitlines()

    def test_leaves_alone_what_is_there(self):
        for purpose in ["build", "test", "bench"]:
            code, said, calls = self.setup_on("--for", purpose, installed="ALL")
            self.assertEqual((code, calls), (0, []))
            self.assertIn(f"packages for {purpose} are installed", said)

    def test_installs_what_is_missing_and_only_that(self):
        there = ("g++ cmake git pkg-config libibverbs-dev librdmacm-dev libfabric-dev libboost1.81-dev "
                 "libboost-json1.81-dev")
        code, said, calls = self.setup_on(installed=there)
        self.assertEqual(code, 0, said)
        self.assertIn("installing: ninja-build libboost-program-options1.81-dev", said)
        self.assertEqual([call.split()[-1] for call in calls][0], "update")
        self.assertTrue(calls[-1].endswith("install ninja-build libboost-program-options1.81-dev"), calls)

    def test_of_a_purpose_includes_building(self):
        def packages(purpose):
            return set(self.setup_on("--list", "--for", purpose)[1].split())
        self.assertLess(packages("build"), packages("test"))
        self.assertLess(packages("build"), packages("bench"))

    def test_uses_sudo_when_not_root_and_says_so(self):
        code, said, calls = self.setup_on(user_id=1000, sudo=True)
        self.assertEqual(code, 0, said)
        self.assertIn("under sudo", said)
        self.assertEqual(calls[0], "sudo")

    def test_without_root_and_sudo_names_the_command(self):
        code, said, calls = self.setup_on(user_id=1000)
        self.assertEqual((code, calls), (1, []))
        self.assertIn("as root, run: apt-get install g++ cmake", said)

    def test_removes_nothing_behind_the_back_of_a_person(self):
        code, said, calls = self.setup_on(removed="libboost1.74-dev", terminal=True)
        self.assertEqual(code, 1, said)
        self.assertIn("apt removes for it: libboost1.74-dev", said)
        self.assertIn("--yes", said)
        self.assertFalse([call for call in calls if " install " in call and "--simulate" not in call])

    def test_removes_what_conflicts_when_told_to_or_unattended(self):
        for arguments, way in [(["--yes"], {"terminal": True}), ([], {"terminal": True, "ci": True}), ([], {})]:
            with self.subTest(arguments=arguments, **way):
                code, said, calls = self.setup_on(*arguments, removed="libboost1.74-dev", **way)
                self.assertEqual(code, 0, said)
                self.assertIn("apt removes for it: libboost1.74-dev", said)
                self.assertNotIn("--simulate", calls[-1])

    def test_refuses_other_systems_and_names_the_packages(self):
        for os_release, word in [
            ('ID=fedora\nPRETTY_NAME="Fedora Linux 40"\n', "Fedora Linux 40, not Debian 12 or later"),
            ('ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 22.04"\n', "Ubuntu 22.04, not Debian"),
            ('ID=debian\nVERSION_ID="11"\n', "Debian 11"),
            ("", "does not say what system this is"),
        ]:
            with self.subTest(word):
                code, said, calls = self.setup_on("--for", "test", os_release=os_release)
                self.assertEqual((code, calls), (1, []))
                self.assertIn(word, said)
                self.assertIn("libboost1.81-dev", said)
                self.assertIn("spin", said)

    def test_takes_later_debians_default_boost(self):
        for os_release in ['ID=debian\nVERSION_ID="13"\n', "ID=debian\n"]:
            code, said, _ = self.setup_on(os_release=os_release)
            self.assertEqual(code, 0, said)
            self.assertIn(" libboost-dev ", said)

    def test_refuses_arguments_it_does_not_know(self):
        for arguments in [["--for", "fun"], ["--for"], ["--fro", "build"]]:
            code, _, calls = self.setup_on(*arguments)
            self.assertEqual((code, calls), (2, []))


if __name__ == "__main__":
    unittest.main()
