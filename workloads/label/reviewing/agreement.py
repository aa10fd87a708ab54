"""Reviews of one item by several people → how far they agree; with their n, or nothing at all. Pure.

What two people who know the matter do not agree on, no model can be right about: the share is a ceiling for its score.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workloads.label.records import Review

Marks = frozenset[tuple[int, int, str]]


@dataclass(frozen=True)
class Agreement:
    """Of `pairs` (two people, one item): how many are `alike` to the last mark, and the mean share of marks in common.

    `shared` is Dice's coefficient, which is the F1 of one person measured by the other, whichever is called the truth.
    """

    pairs: int
    alike: int
    shared: float


def agreement(reviews: Iterable[Review]) -> Agreement | None:
    """Each person's last word on each item beside everybody else's; None where no item has two."""
    said: dict[str, dict[int, Marks]] = {}
    for review in sorted(reviews, key=lambda each: (each.at, each.annotation)):
        if not review.skipped:
            marks = frozenset((span.start, span.end, span.label) for span in review.spans)
            said.setdefault(review.item, {})[review.reviewer] = marks
    pairs = [pair for by_person in said.values() for pair in combinations(by_person.values(), 2)]
    if not pairs:
        return None
    return Agreement(len(pairs), sum(one == other for one, other in pairs), fmean(_shared(*pair) for pair in pairs))


def _shared(one: Marks, other: Marks) -> float:
    """Two people who both found nothing agree."""
    marks = len(one) + len(other)
    return 2 * len(one & other) / marks if marks else 1.0
