"""What others' tools print, as numbers. A form that is not the expected one is Failed, with the text."""

import math

from runner import Failed

MIB = 1 << 20


def number(text, what):
    """perftest prints inf when its clock calibration failed, which under emulation happens."""
    try:
        value = float(text)
    except ValueError:
        raise Failed(f"{what} '{text}' is no number") from None
    if not math.isfinite(value) or value <= 0:
        raise Failed(f"{what} '{text}' is no measurement")
    return value


def perftest_row(output):
    """{column: text} of the last row; "BW average[MB/sec]" and "99% percentile[usec]" are one column each."""
    header, row = None, None
    for line in output.splitlines():
        if line.lstrip().startswith("#bytes"):
            header = [word for word in line.split() if word != "BW" and not word.endswith("%")]
        elif header and line.split() and line.split()[0].isdigit():
            row = line.split()
    if not header or not row or len(header) != len(row):
        raise Failed(f"expected a table of perftest, got: {output.strip()[-300:]}")
    return dict(zip(header, row))


def perftest_typical_us(output):
    return number(perftest_row(output).get("t_typical[usec]", "nothing"), "perftest's t_typical")


def perftest_min_us(output):
    return number(perftest_row(output).get("t_min[usec]", "nothing"), "perftest's t_min")


def perftest_gb_per_s(output):
    """perftest's MB are 2^20 bytes."""
    row = perftest_row(output)
    name = next((name for name in row if name.startswith("average[M")), None)
    if name is None:
        raise Failed(f"expected a bandwidth in MB/sec, got the columns {', '.join(row)}")
    return number(row[name], "perftest's BW average") * MIB / 1e9


def fi_pingpong_us(output):
    lines = [line.split() for line in output.strip().splitlines()[-2:]]
    if len(lines) != 2 or "usec/xfer" not in lines[0] or len(lines[0]) != len(lines[1]):
        raise Failed(f"expected a table of fi_pingpong, got: {output.strip()[-300:]}")
    return number(lines[1][lines[0].index("usec/xfer")], "fi_pingpong's usec/xfer")


def ucx_row(output):
    """{column: text} of ucx_perftest -f -v."""
    lines = [line.split(",") for line in output.strip().splitlines()[-2:]]
    if len(lines) != 2 or lines[0][0] != "iterations" or len(lines[0]) != len(lines[1]):
        raise Failed(f"expected CSV of ucx_perftest, got: {output.strip()[-300:]}")
    return dict(zip(lines[0], lines[1]))


def ucx_p50_us(output):
    return number(ucx_row(output).get("50.0_percentile_lat", "nothing"), "ucx_perftest's 50th percentile")


def ucx_gb_per_s(output):
    return number(ucx_row(output).get("overall_bw", "nothing"), "ucx_perftest's overall_bw") * MIB / 1e9
