"""Promotions and reviews → how long new data took to become a serving model, and what still waits to be learned from.

"First correction" is the first review of all that one model learned from and the one before it had not: to accept a
suggestion is to correct it too, by nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.label.records import Arm, PromotionEnd
from workloads.label.returns.file import Delivery, Waiting

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from workloads.label.records import Promotion
    from workloads.label.returns.groups import Seen


def served(promotions: Iterable[Promotion]) -> list[Promotion]:
    """Those that made a model serve, in their order."""
    return sorted((one for one in promotions if one.end is PromotionEnd.SERVING), key=lambda one: one.ended_at)


def deliveries(promotions: Iterable[Promotion]) -> list[Delivery]:
    """One a model that learned from people; the first one, of seeds alone, has no first correction and is none."""
    return [
        Delivery(
            model=served_name(one),
            run=one.run,
            first_review_at=one.first_review_at,
            serving_at=one.ended_at,
            # Label Studio's clock told the one, ours the other.
            seconds=max(0.0, (one.ended_at - one.first_review_at).total_seconds()),
        )
        for one in served(promotions)
        if one.first_review_at is not None
    ]


def waiting(reviews: Sequence[Seen], learned_until: dt.datetime | None, needed: int) -> Waiting:
    """What may be trained on and came after `learned_until`; None: nothing that serves has learned from anybody."""
    new = [
        one
        for one in reviews
        if one.item.arm is not Arm.TEST
        and not one.review.skipped
        and (learned_until is None or one.review.at > learned_until)
    ]
    oldest = min((one.review.at for one in new), default=None)
    return Waiting(reviews=len({one.item.id for one in new}), needed=needed, oldest_at=oldest)


def served_name(promotion: Promotion) -> str:
    """As predictions name it: contracts:3."""
    return promotion.model if ":" in promotion.model else f"{promotion.model}:{promotion.version}"
