"""What guests ask of the host: to begin together, and what only the host can do to them (rxe-control)."""

import threading


class Control:
    """Answers each line of a guest with one: "ok", or why not."""

    def __init__(self, guests):
        self.guests = guests
        self.both_ready = threading.Barrier(len(guests))
        for guest in guests:
            threading.Thread(target=self.serve, args=(guest,), daemon=True).start()

    def serve(self, guest):
        try:
            with guest.control, guest.control.makefile("rw") as stream:
                for line in stream:
                    stream.write(self.answer(guest, line.strip()) + "\n")
                    stream.flush()
        except OSError:
            pass  # it ended before it was answered
        self.both_ready.abort()

    def answer(self, guest, wish):
        if wish == "ready":
            return self.await_other()
        other = next((each for each in self.guests if each is not guest), None)
        if other is None:
            return "this guest is alone; scripts/rxe run --pair boots two"
        if wish == "kill-peer":
            other.kill_on_request()
            return "ok"
        if wish in ("link-off", "link-on"):
            return guest.set_link(wish == "link-on") or "ok"
        return f"no such wish: {wish}"

    def await_other(self):
        try:
            self.both_ready.wait()
            return "ok"
        except threading.BrokenBarrierError:
            return "the other guest ended before its link was up"
