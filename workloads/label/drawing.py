"""Figures of the loop → SVG for its report: shares, intervals, columns. Pure; every text is escaped.

Colours are the page's CSS variables, so that one drawing serves light, dark and paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, ROW, NAMES, FIGURES = 560, 26, 150, 120  # in pixels; names are left of the plot, figures right of it
PLOT = WIDTH - NAMES - FIGURES
HEIGHT, TOP, AXIS, INSET = 240, 8, 40, 12  # of a plot with two axes: its height, and what is left around it
LONGEST_NAME = 22  # characters that fit


@dataclass(frozen=True)
class Range:
    """A value from 0 to 1 with its interval, and of how many it was made."""

    series: int  # which colour
    value: float
    low: float
    high: float


def shares(rows: Sequence[tuple[str, Sequence[int]]], series: Sequence[str], title: str) -> str:
    """A bar a row, divided as the counts are; n at its end. A row without any count is an empty bar."""
    drawn = []
    for number, (name, counts) in enumerate(rows):
        top, total, x = number * ROW + 4, sum(counts), float(NAMES)
        drawn.append(_text(NAMES - 8, top + 13, name, "end") + _rect(NAMES, top, PLOT, ROW - 8, "var(--rule)"))
        for place, count in enumerate(counts):
            width = PLOT * count / total if total else 0
            if width:
                told = f"{name}: {series[place]} {count:,} of {total:,}"
                drawn.append(_rect(x, top, width, ROW - 8, f"var(--s{place + 1})", told))
                if width > 34:
                    drawn.append(_text(x + width / 2, top + 13, f"{count / total:.0%}", "middle", "var(--card)"))
            x += width
        drawn.append(_text(NAMES + PLOT + 8, top + 13, f"n = {total:,}", colour="var(--soft)"))
    return _svg(drawn, len(rows) * ROW, title, [(name, place + 1) for place, name in enumerate(series)])


def intervals(rows: Sequence[tuple[str, Sequence[Range], int]], series: Sequence[str], title: str) -> str:
    """A dot and its whiskers for each series, on an axis from 0 to 1; n at the row's end."""
    drawn = []
    for at in range(0, 11, 2):
        x = NAMES + PLOT * at / 10
        drawn.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{len(rows) * ROW}" stroke="var(--rule)"/>')
        drawn.append(_text(x, len(rows) * ROW + 14, f"{at / 10:.1f}", "middle", "var(--soft)"))
    for number, (name, ranges, count) in enumerate(rows):
        top = number * ROW
        drawn.append(_text(NAMES - 8, top + 17, name, "end"))
        for place, each in enumerate(ranges):
            y = top + ROW * (place + 1) / (len(ranges) + 1)
            low, value, high = (NAMES + PLOT * part for part in (each.low, each.value, each.high))
            colour = f"var(--s{each.series})"
            told = f"{name}: {series[place]} {each.value:.3f}, {each.low:.3f} to {each.high:.3f}"
            drawn.append(
                f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>'
                f'<circle cx="{value:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(told)}</title></circle>'
            )
        drawn.append(_text(NAMES + PLOT + 12, top + 17, f"n = {count:,}", colour="var(--soft)"))
    return _svg(drawn, len(rows) * ROW + 20, title, [(name, place + 1) for place, name in enumerate(series)])


@dataclass(frozen=True)
class Spot:
    """A point of a curve: a value from 0 to 1 with its interval, at a number that is no less than 0."""

    at: float
    value: float
    low: float
    high: float


def curves(lines: Sequence[Sequence[Spot]], series: Sequence[str], title: str, axis: str) -> str:
    """A line through each series' spots, with their whiskers; both axes begin at 0, `axis` names the lower one.

    Series lie a little apart, so that whiskers at one place can be told from another.
    """
    end = max((spot.at for line in lines for spot in line), default=0) or 1
    drawn = []
    for at in range(0, 11, 2):
        y = HEIGHT * (1 - at / 10) + TOP
        drawn.append(f'<line x1="{AXIS}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--rule)"/>')
        drawn.append(_text(AXIS - 8, y + 4, f"{at / 10:.1f}", "end", "var(--soft)"))
    for number in _round_numbers(end):
        x = AXIS + INSET + (WIDTH - AXIS - 2 * INSET) * number / end
        drawn.append(_text(x, TOP + HEIGHT + 18, f"{number:,}", "middle", "var(--soft)"))
    drawn.append(_text(WIDTH, TOP + HEIGHT + 34, axis, "end", "var(--soft)"))
    for number, line in enumerate(lines):
        colour, aside = f"var(--s{number + 1})", 3 * number
        placed = [(AXIS + INSET + (WIDTH - AXIS - 2 * INSET) * spot.at / end + aside, spot) for spot in line]
        path = " ".join(f"{x:.1f},{_height(spot.value):.1f}" for x, spot in placed)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for x, spot in placed:
            told = f"{series[number]}: {spot.value:.3f}, {spot.low:.3f} to {spot.high:.3f}, at {spot.at:,.0f}"
            low, value, high = (_height(each) for each in (spot.low, spot.value, spot.high))
            drawn.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}"/>'
                f'<circle cx="{x:.1f}" cy="{value:.1f}" r="4" fill="{colour}"><title>{escape(told)}</title></circle>'
            )
    return _svg(drawn, TOP + HEIGHT + 36, title, [(name, at + 1) for at, name in enumerate(series) if lines[at]])


def _round_numbers(end: float) -> range:
    """From 0 to `end`, three to six of them: multiples of 1, 2 or 5 times a power of ten."""
    steps = (factor * 10**power for power in range(16) for factor in (1, 2, 5))
    step = next(step for step in steps if end / step < 6)
    return range(0, math.floor(end) + 1, step)


def _height(value: float) -> float:
    return TOP + HEIGHT * (1 - value)


def spans(rows: Sequence[tuple[str, float, float, str]], title: str) -> str:
    """When each row began and how long it took, in seconds: (name, begin, length, what stands at its end)."""
    end = max((begin + length for _, begin, length, _ in rows), default=0) or 1
    drawn = []
    for number, (name, begin, length, told) in enumerate(rows):
        top = number * ROW + 4
        drawn.append(_text(NAMES - 8, top + 13, name, "end") + _rect(NAMES, top, PLOT, ROW - 8, "var(--ground)"))
        width = max(PLOT * length / end, 1.5)
        drawn.append(_rect(NAMES + PLOT * begin / end, top, width, ROW - 8, "var(--s2)", f"{name}: {told}"))
        drawn.append(_text(NAMES + PLOT + 8, top + 13, told, colour="var(--soft)"))
    return _svg(drawn, len(rows) * ROW, title, [])


def _svg(drawn: list[str], height: float, title: str, legend: list[tuple[str, int]]) -> str:
    x = float(NAMES)
    for name, colour in filter(lambda each: each[0], legend):
        drawn.append(_rect(x, height + 10, 10, 10, f"var(--s{colour})") + _text(x + 15, height + 19, name))
        x += 32 + 6.4 * len(name)
    whole = height + (28 if legend else 4)
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {whole:.0f}" role="img" aria-label={quoteattr(title)} '
        f'font-size="12" fill="var(--ink)">{"".join(drawn)}</svg>'
    )


def _rect(x: float, y: float, width: float, height: float, colour: str, told: str = "") -> str:  # noqa: PLR0913, PLR0917
    title = f"<title>{escape(told)}</title>" if told else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}">{title}</rect>'


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "var(--ink)") -> str:
    short = text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{escape(short)}</text>'
