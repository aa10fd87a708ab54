"""Promotions and reviews → how long new data took to become a serving model, and what still waits to be learned from.

"First correction" is the first review of all that one model learned from and the one before it had not: to accept a
suggestion is to correct it too, by nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.label.learning.examples import reviewed, unseen
from workloads.label.records import PromotionEnd
from workloads.label.returns.file import Delivery, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workloads.label.learning.examples import Learned
    from workloads.label.records import Item, Promotion, Review


def served(promotions: Iterable[Promotion]) -> tuple[str, int] | None:
    """Model and version that the last promotion left: what was rolled back, by whomever, gave way to what it names."""
    for one in sorted(promotions, key=lambda one: one.ended_at, reverse=True):
        if one.end is not PromotionEnd.REFUSED:
            version = one.version if one.end is PromotionEnd.SERVING else one.before
            return None if version is None else (one.model, version)
    return None


def serving(promotions: Sequence[Promotion]) -> Promotion | None:
    """The one that brought the version that serves; None where nothing serves, or it came from elsewhere."""
    last = served(promotions)
    brought = [one for one in promotions if one.end is PromotionEnd.SERVING and last == (one.model, one.version)]
    return max(brought, key=lambda one: one.ended_at, default=None)


def deliveries(promotions: Sequence[Promotion]) -> list[Delivery]:
    """One a model that learned from people, in the order in which they came to serve; none that was taken back.

    The first one, of seeds alone, has no first correction and is none.
    """
    taken_back = {one.version for one in promotions if one.end is PromotionEnd.ROLLED_BACK}
    found: dict[str, Delivery] = {}
    for one in sorted(promotions, key=lambda one: one.ended_at):
        if one.end is PromotionEnd.SERVING and one.version not in taken_back and one.first_review_at is not None:
            found.setdefault(
                served_name(one),
                Delivery(
                    model=served_name(one),
                    run=one.run,
                    first_review_at=one.first_review_at,
                    serving_at=one.ended_at,
                    # Label Studio's clock told the one, ours the other.
                    seconds=max(0.0, (one.ended_at - one.first_review_at).total_seconds()),
                ),
            )
    return list(found.values())


def waiting(items: Iterable[Item], reviews: Iterable[Review], learned: Iterable[Learned], needed: int) -> Waiting:
    """What would be learned from and the serving model has not; `learned`: what it was made of."""
    new = [each for each in unseen(reviewed(items, reviews), learned) if each.at and not each.synthetic]
    oldest = min((each.at for each in new if each.at), default=None)
    return Waiting(reviews=len(new), needed=needed, oldest_at=oldest)


def served_name(promotion: Promotion) -> str:
    """As predictions name it: contracts:3."""
    return promotion.model if ":" in promotion.model else f"{promotion.model}:{promotion.version}"
