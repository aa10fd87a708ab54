"""Unpublished items → the order in which people see them. Pure.

Assisted items come with the least certain first. Held-out and blank-control items have no certainty that anybody may
know: they come in the order of a hash, spread evenly between the others, so that at any moment people have seen each
arm in its share. Were they at the end, a team that never finishes a batch would have no test set; and reviews with and
without help would differ by the hour of the day, not by the help alone.
"""

from __future__ import annotations

import hashlib
from itertools import groupby
from typing import TYPE_CHECKING

from workloads.label.records import Arm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workloads.label.records import Item, Prediction


def ordered(items: Iterable[Item], predictions: Mapping[str, Prediction]) -> list[Item]:
    """All of them; any first n hold of every arm its share of n, give or take one."""
    queues = {arm: list(of) for arm, of in groupby(sorted(items, key=lambda item: item.arm), key=lambda item: item.arm)}
    placed: list[tuple[float, int, Item]] = []
    for number, (arm, queue) in enumerate(sorted(queues.items())):
        queue.sort(key=lambda item: (_certainty(item, predictions) if arm is Arm.ASSISTED else 0.0, drawn(item)))
        placed += [((place + 0.5) / len(queue), number, item) for place, item in enumerate(queue)]
    return [item for _, _, item in sorted(placed, key=lambda entry: entry[:2])]


def _certainty(item: Item, predictions: Mapping[str, Prediction]) -> float:
    """Of its prediction; an item that no model has seen is as uncertain as can be."""
    found = predictions.get(item.id)
    return found.certainty if found else 0.0


def drawn(item: Item, salt: str = "order") -> str:
    """Even over items, the same on every machine, unknown to whoever made the documents' order; another one a salt."""
    return hashlib.sha256(f"{salt}\0{item.id}".encode()).hexdigest()
