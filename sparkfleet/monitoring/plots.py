"""A plot's lines → an SVG for a page, the same bytes for the same values; matplotlib draws it.

Colours are CSS variables of the page, so that one drawing serves light, dark and paper. Texts stay texts.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sparkfleet.monitoring.history import History, Plot

SIZE_INCHES = (5.2, 2.15)  # at 72 points an inch: 374 wide
AXES = (0.075, 0.115, 0.885, 0.73)  # left, bottom, width, height: fixed, so that plots below one another line up
# Matplotlib knows no CSS: it draws in colours that nobody else uses, which are replaced by what the page calls them.
INK, RULE, LIMIT, CARD, SOFT = "#010101", "#020202", "#030303", "#040404", "#050505"
SERIES = ("#0a0001", "#0a0002", "#0a0003", "#0a0004", "#0a0005", "#0a0006")
CSS = {INK: "var(--ink)", RULE: "var(--rule)", LIMIT: "var(--limit)", CARD: "var(--card)", SOFT: "var(--soft)"} | {
    colour: f"var(--s{number})" for number, colour in enumerate(SERIES, start=1)
}
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name with two dollar signs is a name
    "font.size": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelcolor": INK,
    "axes.linewidth": 0.6,
}
TICKS_S = (60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
MOST_TICKS = 6
NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}


def svg(plot: Plot, history: History, host: str) -> str:
    """The drawing with its own title and description; an empty plot has the same axes and says so."""
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": f"{host}/{plot.title}"}):  # ids differ within a page
        figure = Figure(figsize=SIZE_INCHES)
        axes = figure.add_axes(AXES)
        _draw(axes, plot)
        _frame(axes, plot, history)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata=NOTHING)
    return _fit(file.getvalue(), f"{plot.title} of {host}", described(plot))


def described(plot: Plot) -> str:
    """For those who do not see the plot: the range of every line and its last value."""
    parts = []
    for line in plot.lines:
        values = [y for _, y in line.points if math.isfinite(y)]
        if values:
            parts.append(f"{line.name} {min(values):.0f} to {max(values):.0f}, last {values[-1]:.0f} {plot.unit}")
    parts += [f"{level.name} at {level.value:g} {plot.unit}" for level in plot.thresholds]
    return "; ".join(parts) or "no data"


def _draw(axes: Axes, plot: Plot) -> None:
    for line, colour in zip(plot.lines, SERIES * (1 + len(plot.lines) // len(SERIES)), strict=False):
        alone = sum(math.isfinite(y) for _, y in line.points) < 3  # too short for a stroke
        axes.plot([at_s for at_s, _ in line.points], [y for _, y in line.points], color=colour, lw=1.3, label=line.name,
                  marker="." if alone else "")  # fmt: skip
    for number, level in enumerate(plot.thresholds):
        aside = 0.01 + 0.33 * (number % 3)  # two levels may lie closer than their names are high
        colour = LIMIT if level.warns else SOFT
        axes.axhline(level.value, color=colour, lw=0.9, dashes=(4, 3))
        ground = {"facecolor": CARD, "edgecolor": "none", "pad": 0.6}
        axes.annotate(f"{level.name} {level.value:g}", (aside, level.value), xycoords=("axes fraction", "data"),
                      xytext=(0, 2), textcoords="offset points", fontsize=7, color=colour, bbox=ground)  # fmt: skip
    if not plot.lines:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", va="center")


def _frame(axes: Axes, plot: Plot, history: History) -> None:
    axes.set_xlim(history.start_s, history.end_s)
    values = [y for line in plot.lines for _, y in line.points if math.isfinite(y)]
    highest = max([*values, *(level.value for level in plot.thresholds), plot.least + 1.0])
    # More than all there is cannot be: a counter that was set back must not squeeze what is true.
    axes.set_ylim(plot.least, (plot.most or highest) + 0.1 * ((plot.most or highest) - plot.least))
    span_s = history.end_s - history.start_s
    every_s = next((s for s in TICKS_S if span_s / s <= MOST_TICKS), 86400 * math.ceil(span_s / 86400 / MOST_TICKS))
    ticks = range(int(-(-history.start_s // every_s) * every_s), int(history.end_s) + 1, every_s)
    shape = "%d %b" if every_s >= 86400 else "%H:%M"
    axes.set_xticks(ticks, [dt.datetime.fromtimestamp(at_s, dt.UTC).strftime(shape) for at_s in ticks])
    axes.text(1.0, 1.05, "UTC", transform=axes.transAxes, ha="right", color=SOFT)
    axes.text(-0.015, 1.05, plot.unit, transform=axes.transAxes, ha="right", color=SOFT)
    axes.grid(axis="y", color=RULE, lw=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2, width=0.6)
    if plot.lines:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.03), ncols=4, frameon=False, borderpad=0, borderaxespad=0,
                    handlelength=1.2, columnspacing=1.2, handletextpad=0.5)  # fmt: skip


def _fit(text: str, title: str, description: str) -> str:
    """What matplotlib wrote → what stands in a page: no prologue, no ids that another plot has too, page's colours."""
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r' id="(?![mp][0-9a-f]{10}")[^"]*"', "", body)  # markers and clips are referred to; groups are not
    body = re.sub(r'(?<= d=")[^"]*', lambda d: re.sub(r"(\d\.\d)\d+", r"\1", " ".join(d[0].split())), body)
    body = re.sub(r"font: (\S+px) [^;\"]*", r"font: \1 var(--font)", body)
    for colour, name in CSS.items():
        body = body.replace(colour, name)
    width, height = (72 * inches for inches in SIZE_INCHES)
    head = f'<svg class="plot" role="img" viewBox="0 0 {width:g} {height:g}">'
    shown = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
    return head + shown + body[body.index(">") + 1 :].strip()
