"""How a campaign stands → campaign.html: the learning curve, what each round cost, why it goes on or not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from markupsafe import Markup

from workloads.label import drawing, rendering
from workloads.label.campaigning import spending, stopping
from workloads.label.campaigning.rounds import How

if TYPE_CHECKING:
    import datetime as dt

    from workloads.label.campaigning.state import State
    from workloads.label.params import Params

TEMPLATE = "campaign.html.j2"
HELD_OUT, DRAWN = "held-out documents", "drawn documents"


def made(params: Params, found: State, now: dt.datetime) -> str:
    """The whole page."""
    assert params.campaign  # noqa: S101  (whoever asks has one)
    reviewed = found.spent.reviewed
    rows = [
        {
            "number": each.number,
            "begun": each.at,
            "items": Counter(pick.how for pick in each.picks),
            "reviewed": sum(pick.item in reviewed for pick in each.picks),
            "minutes": found.spent.minutes.get(each.number, 0.0),
        }
        for each in found.rounds
    ]
    room = spending.room(found.spent, params.campaign, len(found.waiting))
    measured = stopping.measured(found.points, params.gate.least_documents)
    return rendering.page(
        TEMPLATE, project=params.name, campaign=params.campaign, found=found, rows=rows, points=found.points, how=How,
        room=room, measured=measured, now=now, plot=Markup(curve(found)),  # noqa: S704  (ours)
    )  # fmt: skip


def curve(found: State) -> str:
    """F1 by how many items people had reviewed; empty while nothing was measured."""
    lines = [
        [drawing.Spot(each.learned, score.f1, score.low, score.high) for each, score in scores if score]
        for scores in (
            [(each, each.held_out) for each in found.points],
            [(each, each.drawn) for each in found.points],
        )
    ]
    if not any(lines):
        return ""
    return drawing.curves(lines, (HELD_OUT, DRAWN), "F1 of whole entities by items reviewed", "items reviewed")
