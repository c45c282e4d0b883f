"""A stream of a guest's command on its way to our own stdout or stderr."""

import os
import signal
import sys
import threading

EXIT_CANNOT_WRITE = 1
# Of all guests: a line of one is not to begin within a line of another.
WRITING = threading.Lock()


class Output:
    """Passes bytes on as they come, or with a prefix line by line. Threads: copy() in one of its own."""

    def __init__(self, connection, target, prefix, on_failure):
        self.connection = connection
        self.target = target  # a file descriptor
        self.prefix = prefix
        self.on_failure = on_failure  # takes an exit code
        self.unfinished = b""  # of a line
        self.received = 0
        self.has_ended = False
        self.changed = threading.Condition()

    def copy(self):
        try:
            with self.connection:
                while data := self.connection.recv(1 << 16):
                    self.pass_on(data)
                    self.note(len(data))
            if self.unfinished:
                self.pass_on(b"\n")
        except BrokenPipeError:  # as `| head` does
            self.on_failure(128 + signal.SIGPIPE)
        except OSError as problem:
            print(f"rxe: cannot write the command's output: {problem}", file=sys.stderr)
            self.on_failure(EXIT_CANNOT_WRITE)
        finally:
            self.note(0, has_ended=True)

    def pass_on(self, data):
        if self.prefix:
            *lines, self.unfinished = (self.unfinished + data).split(b"\n")
            data = b"".join(self.prefix + line + b"\n" for line in lines)
        with WRITING:
            while data:
                data = data[os.write(self.target, data):]

    def note(self, received, has_ended=False):
        with self.changed:
            self.received += received
            self.has_ended = self.has_ended or has_ended
            self.changed.notify_all()

    def await_bytes(self, total):
        """Until so many were passed on, or no more can come: QEMU still holds some when the guest has handed over all."""
        with self.changed:
            self.changed.wait_for(lambda: self.received >= total or self.has_ended)
