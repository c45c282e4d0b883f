"""One guest: a QEMU process, its streams, and its exit code."""

import ctypes
import json
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
EXIT_GUEST_DIED = 125
PR_SET_PDEATHSIG = 1
CONSOLE_LINES_SHOWN = 30

# -cpu: rdma_rxe copies with `rep movsb` and checks with crc32-pclmul where it can, and both are slow under emulation.
MACHINE = ["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,-pclmulqdq,-erms,-fsrm,-smap,-la57", "-display", "none",
           "-monitor", "none", "-nodefaults", "-no-reboot", "-device", "pvpanic-pci", "-action", "panic=exit-failure"]
KERNEL_ARGUMENTS = ("console=ttyS0 quiet panic=-1 oops=panic mitigations=off nokaslr cryptomgr.notests random.trust_cpu=on "
                    "tsc=reliable audit=0 apparmor=0 rcupdate.rcu_expedited=1 no_timer_check nowatchdog")


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Guest:
    """Starts at once. `folder` is its own, removed by the caller."""

    def __init__(self, image, folder, settings, command, options):
        self.folder = pathlib.Path(folder)
        self.role = settings.get("role", "")
        self.console = self.folder / "console.log"
        self.killed_on_request = False
        self.exit_code = None
        self.threads = []
        shared = self.folder / "rxe"
        shared.mkdir()
        for each in ("start", "rxe-control"):
            shutil.copy(HERE / each, shared / each)
        settings = {**settings, "modules": str(image.modules)}
        (shared / "settings").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
        (shared / "command").write_text(command)
        self.start_qemu(image, shared, options)

    def start_qemu(self, image, shared, options):
        kept = []  # our ends of the streams
        given = []
        arguments = [*MACHINE, "-smp", str(options.cores), "-m", options.memory, "-kernel", image.kernel, "-initrd",
                     image.initramfs, "-append", f"{KERNEL_ARGUMENTS} hugepages={options.hugepages}",
                     "-serial", f"file:{self.console}", "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off",
                     "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
                     "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
                     "-fsdev", f"local,id=rxe,path={shared},security_model=none",
                     "-device", "virtio-9p-pci,fsdev=rxe,mount_tag=rxe", "-device", "virtio-serial-pci"]
        for number, share in enumerate(options.share):
            arguments += ["-fsdev", f"local,id=s{number},path={share},security_model=none",
                          "-device", f"virtio-9p-pci,fsdev=s{number},mount_tag=share{number}"]
        for name in ["out", "err", "exit", "control"]:
            ours, theirs = socket.socketpair()
            kept.append(ours)
            given.append(theirs)
            arguments += ["-chardev", f"socket,id={name},fd={theirs.fileno()}",
                          "-device", f"virtserialport,chardev={name},name=npf.{name}"]
        if options.shell:
            arguments += ["-chardev", "stdio,id=shell,signal=off", "-device", "virtconsole,chardev=shell"]
        arguments += options.network
        if options.verbose:
            print("rxe: qemu-system-x86_64", shlex.join(map(str, arguments)), file=sys.stderr)
        stdin = None if options.shell else subprocess.DEVNULL
        stdout = None if options.shell else subprocess.DEVNULL
        self.qemu_words = open(self.folder / "qemu.log", "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(["qemu-system-x86_64", *arguments], stdin=stdin, stdout=stdout, stderr=self.qemu_words,
                                        pass_fds=[each.fileno() for each in given], preexec_fn=die_with_parent, start_new_session=not options.shell)
        for each in given:
            each.close()
        self.control = kept.pop()
        prefix = f"{self.role}| ".encode() if self.role else b""
        self.follow(copy_stream, kept[0], sys.stdout.buffer, prefix)
        self.follow(copy_stream, kept[1], sys.stderr.buffer, prefix)
        self.follow(self.read_exit_code, kept[2])

    def follow(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        thread.start()
        self.threads.append(thread)

    def read_exit_code(self, connection):
        with connection, connection.makefile("rb") as stream:
            text = stream.readline().strip()
        if text.isdigit():
            # All output has been handed over before it, and the guest has nothing to lose.
            self.exit_code = int(text)
            self.kill()

    def set_link(self, is_up):
        with socket.socket(socket.AF_UNIX) as qmp, qmp.makefile("rw") as stream:
            qmp.connect(str(self.folder / "qmp"))
            for command in [{"execute": "qmp_capabilities"},
                            {"execute": "set_link", "arguments": {"name": "n0", "up": is_up}}]:
                stream.readline()
                stream.write(json.dumps(command) + "\n")
                stream.flush()
            stream.readline()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()

    def result(self):
        """Its command's exit code, once QEMU has ended."""
        self.process.wait()
        for thread in self.threads:
            thread.join(timeout=5)
        if self.killed_on_request:
            return 0
        if self.exit_code is not None:
            return self.exit_code
        self.qemu_words.seek(0)
        last_words = self.qemu_words.read().splitlines()
        if self.console.exists():
            last_words += self.console.read_text(errors="replace").splitlines()[-CONSOLE_LINES_SHOWN:]
        who = f"guest {self.role}" if self.role else "the guest"
        print(f"rxe: {who} ended without an exit code; its console's last lines:", *last_words, sep="\n  ", file=sys.stderr)
        return EXIT_GUEST_DIED


def copy_stream(connection, target, prefix):
    """As it comes; with a prefix, line by line."""
    with connection, connection.makefile("rb") as stream:
        while data := (stream.readline() if prefix else stream.read1(1 << 16)):
            target.write(prefix + data)
            target.flush()
