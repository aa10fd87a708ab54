"""Reviews and their items → which group each belongs to, its capped lead time, and the lead times of a group.

Synthetic items, and reviews of items that the workspace does not know, are nobody's work on the archive: left out.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.label.records import Arm
from workloads.label.returns.file import Group, LeadTimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from workloads.label.records import Item, Review


@dataclass(frozen=True, slots=True)
class Seen:
    """One review in its group. `lead_s`: capped; None where no browser told it."""

    review: Review
    item: Item
    group: Group
    lead_s: float | None
    capped: bool

    @property
    def timed(self) -> bool:
        """Whether it says how long a label takes: skipping is another thing."""
        return self.lead_s is not None and not self.review.skipped


def seen(reviews: Iterable[Review], items: Mapping[str, Item], cap_s: float) -> list[Seen]:
    """Every review of a real item, by time."""
    real = sorted(
        (review for review in reviews if review.item in items and not items[review.item].synthetic),
        key=lambda review: (review.at, review.annotation),
    )
    first_shown = next((review.at for review in real if review.shown is not None), None)
    found = []
    for review in real:
        item, lead_s = items[review.item], review.lead_time_s
        before = first_shown is None or review.at < first_shown
        # 0 and less is what a script or a broken clock says, never a person.
        told = lead_s is not None and lead_s > 0
        found.append(
            Seen(
                review=review,
                item=item,
                group=Group.BEFORE if before else _group(item.arm, shown=review.shown is not None),
                lead_s=min(lead_s, cap_s) if told and lead_s else None,
                capped=bool(told and lead_s and lead_s > cap_s),
            )
        )
    return found


def lead_times(reviews: Sequence[Seen]) -> LeadTimes:
    """Of these, whatever their group."""
    timed = [one for one in reviews if one.timed]
    leads = [one.lead_s for one in timed if one.lead_s is not None]
    return LeadTimes(
        reviews=sum(not one.review.skipped for one in reviews),
        skipped=sum(one.review.skipped for one in reviews),
        timed=len(leads),
        capped=sum(one.capped for one in timed),
        documents=len({one.item.document for one in timed}),
        reviewers=len({one.review.reviewer for one in timed}),
        median_s=statistics.median(leads) if leads else None,
        mean_s=statistics.fmean(leads) if leads else None,
    )


def by_group(reviews: Sequence[Seen]) -> dict[Group, LeadTimes]:
    """The lead times of each group that has reviews at all."""
    return {group: lead_times(of) for group in Group if (of := [one for one in reviews if one.group is group])}


def _group(arm: Arm, *, shown: bool) -> Group:
    """Since predictions are shown: only what the draw wanted so may be compared."""
    if arm is Arm.ASSISTED:
        return Group.ASSISTED if shown else Group.REST
    return Group.REST if shown else Group.BLANK
