"""A comparison → compare.html: every candidate with its interval, and how surely the best one is better than each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from workloads.label import drawing, gate, rendering
from workloads.label.comparing import result
from workloads.label.params import ALL

if TYPE_CHECKING:
    import datetime as dt

    from workloads.label.comparing.result import Comparison, Measured
    from workloads.label.params import Params

TEMPLATE = "compare.html.j2"


def made(params: Params, told: list[Comparison], now: dt.datetime) -> str:
    """The page of the last one."""
    found = told[-1]
    looks = result.looks(told, found.candidate)
    return rendering.page(
        TEMPLATE, found=found, looks=looks, confidence=gate.shared(params.gate.confidence, looks), now=now, all=ALL,
        keep_days=params.compare.keep_days, sure=result.SURE,
        plots={name: Markup(svg) for name, svg in plots(found).items()},  # noqa: S704  (ours)
    )  # fmt: skip


def plots(found: Comparison) -> dict[str, str]:
    """All over every label; and the best one and the next by label."""
    rows = [(short(n, each), [ranged(1, each, ALL)], each.scores[ALL].entities) for n, each in named(found)]
    pair = found.entries[:2]
    labels = [
        (label, [ranged(series, each, label) for series, each in enumerate(pair, 1)], pair[0].scores[label].entities)
        for label in sorted(pair[0].scores, key=lambda name: -pair[0].scores[name].entities)
    ]
    return {
        "all": drawing.intervals(rows, [""], "F1 of whole entities by candidate"),
        "labels": drawing.intervals(labels, ["the best", "the next"], "F1 of whole entities by label"),
    }


def named(found: Comparison) -> list[tuple[int, Measured]]:
    """With their places."""
    return list(enumerate(found.entries, 1))


def short(place: int, entry: Measured) -> str:
    """What fits beside a plot; the table has the rest."""
    return f"{place}. {entry.name.partition(',')[0]}"


def ranged(series: int, entry: Measured, label: str) -> drawing.Range:
    """A score as it is drawn."""
    score = entry.scores[label]
    return drawing.Range(series, score.f1, score.low, score.high)
