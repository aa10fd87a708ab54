"""A workspace → how its campaign stands: rounds, points, minutes, what waits, and whether it is over; asks no model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workloads.label.campaigning import spending, stopping
from workloads.label.campaigning.rounds import POINTS, ROUNDS, Point, Round, picked
from workloads.label.records import Arm, Item, Published, Review

if TYPE_CHECKING:
    from workloads.label.campaigning.spending import Spent
    from workloads.label.params import Params
    from workloads.label.workspace import Workspace

WAITING = 10  # a round is over when one in so many of its items waits, or fewer: somebody's holiday stops nobody


@dataclass(frozen=True)
class State:
    """`waiting`: what stands in Label Studio and nobody has looked at, or is to stand there; `over`: why, if it is."""

    rounds: list[Round]
    points: list[Point]
    spent: Spent
    items: dict[str, Item]
    published: frozenset[str]
    waiting: frozenset[str]
    batch: int  # items of a round
    over: str

    @property
    def busy(self) -> bool:
        """Whether people have enough to look at: this round, or what was published before the first one."""
        size = len(self.rounds[-1].picks) if self.rounds else self.batch
        return len(self.waiting) > size // WAITING

    def with_points(self, points: list[Point], params: Params) -> State:
        """The same with another curve, and what follows from it."""
        found = replace(self, points=points)
        return replace(found, over=_over(found, params))


def look(work: Workspace, params: Params) -> State:
    """Read it; raises DamagedError where a file is not what it should be."""
    rounds = work.read(Round, ROUNDS)
    items = {item.id: item for item in work.read(Item, "items.jsonl")}
    reviews, of = work.read(Review, "reviews.jsonl"), picked(rounds)
    published = frozenset(each.item for each in work.read(Published, "published.jsonl")) | of.keys()
    found = State(
        rounds=rounds,
        points=[],
        spent=spending.spent(items, reviews, of, params.roi.longest_lead_s),
        items=items,
        published=published,
        waiting=(published & items.keys()) - {review.item for review in reviews},
        batch=params.campaign.batch if params.campaign else 0,
        over="",
    )
    return found.with_points(work.read(Point, POINTS), params)


def _over(found: State, params: Params) -> str:
    """Nothing is over while people have enough to look at, nor before there is anything."""
    if params.campaign is None or found.busy or not found.items:
        return ""
    left = sum(item.arm is not Arm.TEST for name, item in found.items.items() if name not in found.published)
    room = spending.room(found.spent, params.campaign, len(found.waiting))
    return stopping.over(found.points, params.campaign, params.gate.least_documents, room=room, left=left)
