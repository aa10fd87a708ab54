"""Values over time → a small chart in block characters, with both axes. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCKS = " ▁▂▃▄▅▆▇█"
LABEL_WIDTH = 9  # of the value axis
NARROWEST = 10  # columns of the plot itself


def chart(
    title: str, points: Sequence[tuple[float, float]], span: tuple[float, float], width: int, rows: int
) -> list[str]:
    """Lines of at most `width` characters: the title, `rows` of plot, the time axis.

    `points` are (seconds since 1970, value), `span` the first and last second shown. A column shows the highest of its
    values; one without any stays empty, so that a gap is seen as a gap.
    """
    columns = max(min(width - LABEL_WIDTH - 2, int(span[1] - span[0]) + 1), NARROWEST)  # no more than seconds
    peaks = binned(points, span, columns)
    known = [value for value in peaks if value is not None]
    if not known:
        return []
    low, high = bounds(known)
    levels = [None if value is None else level(value, low, high, rows) for value in peaks]
    lines = [title]
    for row in range(rows - 1, -1, -1):
        label = number(high) if row == rows - 1 else number(low) if row == 0 else ""
        cells = (" " if found is None else BLOCKS[max(0, min(8, found - 8 * row))] for found in levels)
        lines.append(f"{label:>{LABEL_WIDTH}} ┤{''.join(cells)}".rstrip())
    return [*lines, " " * LABEL_WIDTH + " └" + "─" * columns, " " * (LABEL_WIDTH + 2) + time_axis(span, columns)]


def binned(points: Sequence[tuple[float, float]], span: tuple[float, float], columns: int) -> list[float | None]:
    """The highest value of each column; None where there is none."""
    peaks: list[float | None] = [None] * columns
    first, last = span
    for when, value in points:
        column = min(int((when - first) / max(last - first, 1e-9) * columns), columns - 1)
        if column >= 0:
            before = peaks[column]
            peaks[column] = value if before is None or value > before else before
    return peaks


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """The value axis: from the lowest to the highest value, from 0 where that is near, never of no height."""
    low, high = min(values), max(values)
    if 0 <= low < high / 2 or low == high == 0:
        low = 0.0
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or (0.0 if low < 0 else 1.0)
    return low, high


def level(value: float, low: float, high: float, rows: int) -> int:
    """The height of a column in eighths of a row; at least one, since a value that is there is seen."""
    return max(1, round((value - low) / (high - low) * 8 * rows))


def number(value: float) -> str:
    """A value for the axis: at most four digits and a decimal prefix."""
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if prefix == 'k' else limit):.4g}{prefix}"
    return f"{value:.4g}" if abs(value) >= 0.001 else "0"


def time_axis(span: tuple[float, float], columns: int) -> str:
    """First and last time of day at the two ends."""
    left, right = clock(span[0]), clock(span[1]) + " UTC"
    return left + right.rjust(columns - len(left)) if columns >= len(left) + len(right) + 1 else left


def clock(seconds: float) -> str:
    """The time of day in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
