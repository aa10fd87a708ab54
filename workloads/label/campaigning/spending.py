"""Reviews of a campaign's items → people's minutes, and how many items the rest of the budget is good for. Pure.

Lead times are those of the figures of return: capped, and where no browser told one, the mean of the others counts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.label.returns.groups import seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workloads.label.params import Campaign
    from workloads.label.records import Item, Review


@dataclass(frozen=True)
class Spent:
    """`minutes` by round; `item_s`: of one item that somebody finished or skipped, None while nothing tells."""

    minutes: dict[int, float]
    item_s: float | None
    timed: int  # n: reviews that tell how long they took
    reviewed: frozenset[str]  # items of the campaign

    @property
    def total(self) -> float:
        """Minutes of all rounds."""
        return sum(self.minutes.values())


def spent(items: Mapping[str, Item], reviews: Iterable[Review], picked: Mapping[str, int], cap_s: float) -> Spent:
    """What all reviews of picked items took, the second look of another person included."""
    ours = [each for each in seen(reviews, items, cap_s) if each.item.id in picked]
    leads = [each.lead_s for each in ours if each.lead_s is not None]
    mean = sum(leads) / len(leads) if leads else 0.0
    minutes: dict[int, float] = defaultdict(float)
    for each in ours:
        minutes[picked[each.item.id]] += (mean if each.lead_s is None else each.lead_s) / 60
    done = frozenset(each.item.id for each in ours)
    item_s = sum(minutes.values()) * 60 / len(done) if leads else None
    return Spent(dict(minutes), item_s, len(leads), done)


def room(told: Spent, campaign: Campaign, waiting: int) -> int:
    """How many more items the budget is good for, `waiting` ones paid first; a whole round while nothing tells."""
    if told.item_s is None:
        return campaign.batch
    left_s = (campaign.budget_minutes - told.total) * 60
    return max(int(left_s / told.item_s) - waiting, 0)
