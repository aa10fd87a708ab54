"""Reviews of held-out items → versions of the test set: each holds all of the one before, and none ever changes.

test-sets/v001/{items,reviews}.jsonl. A model that was judged on a version can be judged on it again, years later.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.label.records import Arm, Item, Review

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workloads.label.workspace import Workspace

FOLDER = "test-sets"


@dataclass(frozen=True)
class HeldOut:
    """One version: items in the order in which they were first reviewed, and one review of each."""

    version: str
    items: tuple[Item, ...]
    reviews: tuple[Review, ...]


def latest(reviews: Iterable[Review]) -> dict[str, Review]:
    """The last word on each item; a skipped one is no word."""
    told: dict[str, Review] = {}
    for review in sorted(reviews, key=lambda each: (each.at, each.annotation)):
        if not review.skipped:
            told[review.item] = review
    return told


def grown(before: HeldOut | None, items: Iterable[Item], reviews: Iterable[Review]) -> HeldOut | None:
    """The next version, or None when people have said nothing new of held-out items.

    Items of the version before stay, with the review they had unless somebody reviewed them again.
    """
    held = {item.id: item for item in items if item.arm is Arm.TEST}
    said = {review.item: review for review in before.reviews} if before else {}
    kept = {item.id: item for item in before.items} if before else {}
    now = said | {name: review for name, review in latest(reviews).items() if name in held or name in kept}
    if now == said:
        return None
    number = int(before.version[1:]) + 1 if before else 1
    return HeldOut(f"v{number:03}", tuple((held | kept)[name] for name in now), tuple(now.values()))


def newest(work: Workspace) -> HeldOut | None:
    """The last version that was written."""
    versions = sorted((each.name for each in work.path(FOLDER).glob("v*")), key=lambda name: int(name[1:]))
    if not versions:
        return None
    name = versions[-1]
    told = work.read(Item, f"{FOLDER}/{name}/items.jsonl"), work.read(Review, f"{FOLDER}/{name}/reviews.jsonl")
    return HeldOut(name, tuple(told[0]), tuple(told[1]))


def write(work: Workspace, held: HeldOut) -> None:
    """Put a version down; it appears whole or not at all."""
    partial = f"{FOLDER}/.partial"
    shutil.rmtree(work.path(partial), ignore_errors=True)
    work.replace(f"{partial}/items.jsonl", held.items)
    work.replace(f"{partial}/reviews.jsonl", held.reviews)
    work.path(partial).rename(work.path(FOLDER, held.version))
