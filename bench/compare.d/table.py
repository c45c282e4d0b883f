"""Rows of a comparison: medians, ratios, verdicts, and how they are printed."""

import dataclasses
import math
import statistics
import typing

KIB, MIB = 1 << 10, 1 << 20


@dataclasses.dataclass(frozen=True)
class Row:
    """`ours` over `against`, or `ours` alone; both are names of measured values. Without a target a row only informs."""

    what: str
    ours: str
    against: typing.Optional[str]
    target: typing.Optional[float] = None
    at_least: bool = False

    def verdict(self, ratio):
        if self.target is None:
            return ""
        met = ratio >= self.target if self.at_least else ratio <= self.target
        return "ok" if met else "MISS"


def size_name(size):
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB" if size >= KIB else f"{size} B"


def median(values, name):
    numbers = [value for value in values.get(name, []) if value is not None and math.isfinite(value)]
    return statistics.median(numbers) if numbers else None


def judge(values, rows):
    results = []
    for row in rows:
        ours = median(values, row.ours)
        against = median(values, row.against) if row.against else None
        ratio = None
        if ours is None or (row.against and against is None):
            verdict = "not measured"
        else:
            ratio = ours / against if row.against else ours
            verdict = row.verdict(ratio)
        results.append({"what": row.what, "ours": ours, "against": against, "ratio": ratio if row.against else None,
                        "target": row.target, "verdict": verdict})
        if row.at_least:
            results[-1]["at_least"] = True
    return results


def cell(value):
    return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def limit(result):
    if result["target"] is None:
        return "-"
    return (">= " if result.get("at_least") else "<= ") + cell(result["target"])


def print_table(results, rounds):
    print(f"medians of {rounds} interleaved rounds, pinned; microseconds one way unless a row says otherwise")
    width = max(len(result["what"]) for result in results)
    print(f"{'what':<{width}}  {'ours':>9}  {'against':>9}  {'ratio':>7}  {'target':>8}")
    for result in results:
        print(f"{result['what']:<{width}}  {cell(result['ours']):>9}  {cell(result['against']):>9}  "
              f"{cell(result['ratio']):>7}  {limit(result):>8}  {result['verdict']}")
