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


def is_number(value):
    return value is not None and math.isfinite(value)


def median(numbers):
    numbers = [number for number in numbers if is_number(number)]
    return statistics.median(numbers) if numbers else None


def median_ratio(ours, against):
    """Of the ratios within each round: a machine that changes its speed between rounds moves both medians, and no ratio."""
    return median(mine / theirs for mine, theirs in zip(ours, against) if is_number(mine) and is_number(theirs))


def judge(values, rows):
    results = []
    for row in rows:
        all_ours, all_against = values.get(row.ours, []), values.get(row.against, [])
        ours, ratio = median(all_ours), median_ratio(all_ours, all_against)
        judged = ratio if row.against else ours
        verdict = "not measured" if judged is None else row.verdict(judged)
        results.append({"what": row.what, "ours": ours, "against": median(all_against), "ratio": ratio,
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
    print(f"medians of {rounds} interleaved rounds, pinned, and of the ratios within each; microseconds one way unless a row says otherwise")
    width = max(len(result["what"]) for result in results)
    print(f"{'what':<{width}}  {'ours':>9}  {'against':>9}  {'ratio':>7}  {'target':>8}")
    for result in results:
        print(f"{result['what']:<{width}}  {cell(result['ours']):>9}  {cell(result['against']):>9}  "
              f"{cell(result['ratio']):>7}  {limit(result):>8}  {result['verdict']}")
