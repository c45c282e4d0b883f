"""Rounds of steps; each step runs one program, or two that belong side by side, and returns {name: value}."""

import dataclasses
import sys
import typing

from runner import Failed, Missing


@dataclasses.dataclass(frozen=True)
class Step:
    """An optional step may fail: others' tools do. A fair one runs under the ordinary scheduler in any case."""

    name: str
    run: typing.Callable[[], dict]
    optional: bool = False
    fair: bool = False  # what a wake-up costs is the ordinary scheduler's answer


def measure(runner, round_of_fabric, rounds):
    """Interleaved: what stands in one ratio runs in the same round, so that a slow moment of the machine hits both sides.

    A value's place in its list is the number of its round; a round that did not measure it has None there."""
    values, reasons = {}, {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        for step in round_of_fabric.all(number):
            runner.fair = step.fair
            try:
                measured = step.run()
            except Missing as reason:
                if number == 0:
                    print(f"not measured: {reason}", file=sys.stderr)
                reasons[step.name] = str(reason)
                continue
            except Failed as reason:
                if not step.optional:
                    raise
                print(f"not measured this round: {reason}", file=sys.stderr)
                reasons[step.name] = str(reason)
                continue
            for name, value in measured.items():
                measured_before = values.setdefault(name, [])
                measured_before += [None] * (number - len(measured_before)) + [value]
    return values, reasons
