"""One guest: a QEMU process, the streams of its command, and its exit code."""

import dataclasses
import json
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
import typing

from output import Output

HERE = pathlib.Path(__file__).resolve().parent
EXIT_GUEST_DIED = 125
CONSOLE_LINES_SHOWN = 30

# -cpu: rdma_rxe copies with `rep movsb` and checks with crc32-pclmul where it can, and both are slow under emulation.
MACHINE = ["-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,-pclmulqdq,-erms,-fsrm,-smap,-la57", "-display", "none",
           "-monitor", "none", "-nodefaults", "-no-reboot", "-device", "pvpanic-pci", "-action", "panic=exit-failure"]
KERNEL_ARGUMENTS = ("console=ttyS0 quiet panic=-1 oops=panic mitigations=off nokaslr cryptomgr.notests random.trust_cpu=on "
                    "tsc=reliable audit=0 apparmor=0 rcupdate.rcu_expedited=1 no_timer_check nowatchdog")
# Whatever ends this script, SIGKILL too, ends its guests.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]


@dataclasses.dataclass
class Machine:
    """What differs between one guest and the next."""
    command: str                  # a script for the guest's bash
    settings: dict                # for scripts/rxe.d/start
    cores: int
    memory: str
    hugepages: int = 0
    shares: tuple = ()            # folders of the host that the guest may write to
    role: str = ""                # of a pair: a or b
    link: typing.Optional[socket.socket] = None  # the cable to the other one
    is_shell: bool = False


def last_of_console(lines):
    """From the kernel's own reason on, where it gave one: its stack trace may be longer than what is shown else."""
    reasons = (number for number, line in enumerate(lines) if "Kernel panic" in line)
    return lines[next(reasons, -CONSOLE_LINES_SHOWN):]


def escaped(path):
    """A path as part of one of QEMU's options, where a comma ends the part."""
    return str(path).replace(",", ",,")


def over_9p(tag, folder, options=""):
    return ["-fsdev", f"local,id={tag},path={escaped(folder)},security_model=none{options}",
            "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]


class Guest:
    """Starts at once. `folder` is its own, removed by the caller."""

    def __init__(self, image, machine, folder, verbose):
        self.machine = machine
        self.name = f"guest {machine.role}" if machine.role else "the guest"
        self.console = folder / "console.log"
        self.killed_on_request = False
        self.exit_code = None
        self.verbose = verbose
        self.started = time.monotonic()
        shared = folder / "shared"
        self.write_shared(shared, image.modules)
        sockets = {name: socket.socketpair() for name in ["out", "err", "state", "control", "qmp"]}
        arguments = self.qemu_arguments(image, shared)
        for name in ["out", "err", "state", "control"]:
            arguments += ["-chardev", f"socket,id={name},fd={sockets[name][1].fileno()}",
                          "-device", f"virtserialport,chardev={name},name=npf.{name}"]
        arguments += ["-chardev", f"socket,id=qmp,fd={sockets['qmp'][1].fileno()}", "-mon", "chardev=qmp,mode=control"]
        if verbose:
            print("rxe:", shlex.join(arguments), file=sys.stderr)
        self.qemu_words = open(folder / "qemu.log", "w+", encoding="utf-8", errors="replace")
        self.process = self.start_qemu(arguments, [theirs for _, theirs in sockets.values()])
        ours = {name: pair[0] for name, pair in sockets.items()}
        self.control, self.qmp, self.state = ours["control"], ours["qmp"], ours["state"]
        prefix = f"{machine.role}| ".encode() if machine.role else b""
        self.outputs = [Output(ours["out"], 1, prefix, self.finish), Output(ours["err"], 2, prefix, self.finish)]
        self.threads = [threading.Thread(target=work, daemon=True)
                        for work in (*(output.copy for output in self.outputs), self.follow_state)]
        for thread in self.threads:
            thread.start()

    def write_shared(self, shared, modules):
        """What the guest finds in /run/rxe."""
        shared.mkdir(parents=True)
        for each in ("start", "rxe-control"):
            shutil.copy(HERE / each, shared / each)
        settings = {**self.machine.settings, "modules": str(modules)}
        (shared / "settings").write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
        (shared / "command").write_text(self.machine.command)

    def qemu_arguments(self, image, shared):
        machine = self.machine
        arguments = [*DIE_WITH_PARENT, "qemu-system-x86_64", *MACHINE, "-smp", str(machine.cores), "-m", machine.memory,
                     "-kernel", str(image.kernel), "-initrd", str(image.initramfs),
                     "-append", f"{KERNEL_ARGUMENTS} hugepages={machine.hugepages}",
                     "-chardev", f"file,id=console,path={escaped(self.console)}", "-serial", "chardev:console",
                     *over_9p("host", "/", ",readonly=on,multidevs=remap"), *over_9p("rxe", shared),
                     "-device", "virtio-serial-pci"]
        for number, share in enumerate(machine.shares):
            arguments += over_9p(f"share{number}", share)
        if machine.link is not None:
            arguments += ["-netdev", f"stream,id=link,server=off,addr.type=fd,addr.str={machine.link.fileno()}", "-device",
                          f"virtio-net-pci,netdev=link,romfile=,mac=52:54:00:00:00:0{machine.role}"]
        if machine.is_shell:
            arguments += ["-chardev", "stdio,id=shell,signal=off", "-device", "virtconsole,chardev=shell"]
        return arguments

    def start_qemu(self, arguments, given):
        """QEMU, with its ends of the sockets; ours are closed here, so that its end is ours too. But for the cable's."""
        cable = [] if self.machine.link is None else [self.machine.link]
        stream = None if self.machine.is_shell else subprocess.DEVNULL
        # A session of its own: the terminal's Ctrl-C is for this script, which then ends the guests.
        process = subprocess.Popen(arguments, stdin=stream, stdout=stream, stderr=self.qemu_words,
                                   pass_fds=[each.fileno() for each in given + cable],
                                   start_new_session=not self.machine.is_shell)
        for each in given:
            each.close()
        return process

    def follow_state(self):
        """`began` when the command begins; at its end its exit code, and how many bytes it wrote to each stream."""
        with self.state, self.state.makefile("r") as lines:
            for line in lines:
                words = line.split()
                if words == ["began"]:
                    if self.verbose:
                        print(f"rxe: {self.name}: ready after {time.monotonic() - self.started:.1f} s", file=sys.stderr)
                elif len(words) == 3:
                    for output, total in zip(self.outputs, words[1:]):
                        output.await_bytes(int(total))
                    self.finish(int(words[0]))

    def finish(self, exit_code):
        """Switches it off: it is only ever asked for one command, and has nothing to lose."""
        if self.exit_code is None:
            self.exit_code = exit_code
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            if self.machine.link is not None:
                threading.Thread(target=self.swallow_frames, daemon=True).start()

    def swallow_frames(self):
        """A host that is off does not jam its peer's port, and QEMU's would be: half a frame written waits for ever."""
        self.machine.link.setblocking(True)  # QEMU had made it otherwise
        while self.machine.link.recv(1 << 16):
            pass

    def kill_on_request(self):
        """As a host that loses power. That it did not come to an end is then no failure."""
        self.killed_on_request = self.killed_on_request or self.exit_code is None
        self.kill()
        self.process.wait()

    def set_link(self, is_up):
        """Plugs the cable in or out; what QEMU says against it, or nothing."""
        problem = ""
        with self.qmp.makefile("rw") as stream:
            for command in [{"execute": "qmp_capabilities"},
                            {"execute": "set_link", "arguments": {"name": "link", "up": is_up}}]:
                stream.write(json.dumps(command) + "\n")
                stream.flush()
                answer = {}
                while not answer.keys() & {"return", "error"}:  # a greeting and events come between
                    answer = json.loads(stream.readline())
                problem = answer.get("error", {}).get("desc", "")
        return problem

    def is_running(self):
        """Until its process has ended and all that it said is written."""
        return self.process.poll() is None or any(thread.is_alive() for thread in self.threads)

    def result(self):
        """The command's exit code, once it does not run any more."""
        if self.killed_on_request:
            return 0
        if self.exit_code is not None:
            return self.exit_code
        self.qemu_words.seek(0)
        last_words = self.qemu_words.read().splitlines()
        if self.console.exists():
            last_words += last_of_console(self.console.read_text(errors="replace").splitlines())
        print(f"rxe: {self.name} died; its last words:", *last_words, sep="\n  ", file=sys.stderr)
        return EXIT_GUEST_DIED
