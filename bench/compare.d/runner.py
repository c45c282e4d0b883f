"""Starts the programs of a round, ours and others', pinned; and leaves none behind."""

import json
import pathlib
import shutil
import socket
import subprocess
import time

CHILD_TIMEOUT_S = 300
LISTEN_TIMEOUT_S = 20
TCP_LISTEN = "0A"  # of /proc/net/tcp


class Missing(Exception):
    """A program that is not on this machine."""


class Failed(Exception):
    """A program that ran and failed."""


class Runner:
    """Starts programs, and leaves none behind."""

    def __init__(self, build, cores, realtime):
        self.build = build
        self.realtime = realtime
        self.fair = False  # this step runs under the ordinary scheduler in any case
        self.cores = cores
        self.children = []

    def ours(self, name):
        folder = {"npu-bench": "tools/npu_bench"}.get(name, "bench")
        path = self.build / folder / name
        if not path.exists():
            raise Failed(f"{path} is not there; build it first: cmake --workflow --preset release")
        return str(path)

    def start(self, command, **options):
        prefix = ["chrt", "-f", "10"] if self.realtime and not self.fair else []
        child = subprocess.Popen([*prefix, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        self.children.append(child)
        return child

    def finish(self, child):
        try:
            output, errors = child.communicate(timeout=CHILD_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            raise Failed(f"{' '.join(child.args)} did not end in {CHILD_TIMEOUT_S} s") from None
        self.children.remove(child)
        if child.returncode != 0:
            raise Failed(f"{' '.join(child.args)} exited with {child.returncode}: {(errors or output).strip()}")
        return output

    def run(self, command, **options):
        return self.finish(self.start(command, **options))

    def rows(self, command):
        return [json.loads(line) for line in self.run(command).splitlines()]

    def pair(self, port, server, client, **options):
        """A foreign tool's two sides, pinned, the server on the second core and at a TCP port for its own hand-shake."""
        if shutil.which(server[0]) is None:
            raise Missing(f"{server[0]} is not installed")
        serving = self.start(["taskset", "-c", str(self.cores[1]), *server], **options)
        try:
            wait_until_listening(port, serving)
            return self.run(["taskset", "-c", str(self.cores[0]), *client], **options)
        finally:
            if serving in self.children:
                try:
                    serving.wait(timeout=2)
                except subprocess.TimeoutExpired:
                    serving.kill()
                serving.communicate()
                self.children.remove(serving)

    def stop_all(self):
        for child in self.children:
            child.kill()
        for child in self.children:
            child.communicate()


def listening_ports():
    ports = set()
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = pathlib.Path(name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        fields = [line.split() for line in lines]
        ports |= {int(field[1].rpartition(":")[2], 16) for field in fields if field[3] == TCP_LISTEN}
    return ports


def wait_until_listening(port, serving):
    deadline = time.monotonic() + LISTEN_TIMEOUT_S
    while int(port) not in listening_ports():
        if serving.poll() is not None:
            return  # the client will say what is wrong
        if time.monotonic() > deadline:
            raise Failed(f"{' '.join(serving.args)} did not listen at port {port} within {LISTEN_TIMEOUT_S} s")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
