"""Points, and what is left → why a campaign is over, or nothing. Pure.

Over is what brings nothing more: no round of the last `patience` has a model that is better by `least_gain` than the
best one before. All are judged on the same documents, today's held-out ones; while these are too few, the drawn ones
tell, which are others for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloads.label.campaigning.rounds import Point
    from workloads.label.params import Campaign
    from workloads.label.records import Score

HELD_OUT, DRAWN = "held-out", "drawn"


def over(points: Sequence[Point], campaign: Campaign, least_documents: int, *, room: int, left: int) -> str:
    """The first reason there is; `room`: items that the budget is good for, `left`: items that nobody has seen."""
    arm, scores = measured(points, least_documents)
    if len(scores) > campaign.patience:
        before, since = scores[: -campaign.patience], scores[-campaign.patience :]
        gain = max(score.f1 for score in since) - max(score.f1 for score in before)
        if gain < campaign.least_gain:
            told = f"F1 {gain:+.3f} in {campaign.patience} rounds on {arm} documents"
            return f"nothing is gained any more: {told}, {campaign.least_gain:.3f} are wanted"
    if room <= 0:
        return f"the budget of {campaign.budget_minutes:,g} minutes is spent"
    return "" if left else "nobody has anything left to see"


def measured(points: Sequence[Point], least_documents: int) -> tuple[str, list[Score]]:
    """F1 by round, all on one kind of documents; nothing while there are too few of either."""
    held = [each.held_out for each in points if each.held_out and each.held_out_documents >= least_documents]
    if points and len(held) == len(points):
        return HELD_OUT, held
    return DRAWN, [each.drawn for each in points if each.drawn and each.drawn_documents >= least_documents]
