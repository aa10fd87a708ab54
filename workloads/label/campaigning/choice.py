"""Items that nobody has seen, and how certain a model is of them → the picks of a round. Pure.

Three arms, by documents that were drawn before anybody looked (workloads.label.arms), so that none touches another's:
assisted items come with the least certain first, without those that are like one already chosen; control items are the
random arm, held-out items the test set, both by chance alone. What one arm lacks, the uncertain ones get.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from workloads.label.campaigning.alike import Seen
from workloads.label.campaigning.rounds import How, Pick
from workloads.label.records import Arm
from workloads.label.reviewing.order import drawn

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from workloads.label.params import Params
    from workloads.label.records import Item

PER_DOCUMENT = 10  # one document fills a tenth of a round's uncertain items at most: it may be an odd one


def choose(
    items: Collection[Item], published: Collection[str], certainty: Mapping[str, float], params: Params, size: int
) -> list[Pick]:
    """At most `size` of the unpublished items; fewer when the rest is like what was chosen, or nothing is left."""
    assert params.campaign  # noqa: S101  (whoever asks has one)
    arms: dict[Arm, list[Item]] = {arm: [item for item in items if item.arm is arm] for arm in Arm}
    by_chance = []
    for arm, how, share in (
        (Arm.TEST, How.HELD_OUT, params.publish.test_share),
        (Arm.CONTROL, How.DRAWN, params.campaign.random_share),
    ):
        left = [item for item in spread(arms[arm]) if item.id not in published]
        by_chance += [Pick(item=item.id, how=how) for item in left[: round(share * size)]]
    seen = Seen((item.text for item in items if item.id in published), params.campaign.alike)
    left = [item for item in arms[Arm.ASSISTED] if item.id not in published]
    return [*uncertain(left, certainty, seen, size - len(by_chance)), *by_chance]


def uncertain(left: Iterable[Item], certainty: Mapping[str, float], seen: Seen, size: int) -> list[Pick]:
    """The least certain, each unlike the others; an item that no model has seen is as uncertain as can be."""
    found: list[Pick] = []
    of: Counter[str] = Counter()
    most = max(1, size // PER_DOCUMENT)
    for item in sorted(left, key=lambda item: (certainty.get(item.id, 0.0), drawn(item))):
        if len(found) == max(size, 0):
            break
        if of[item.document] < most and seen.add(item.text):
            of[item.document] += 1
            found.append(Pick(item=item.id, how=How.UNCERTAIN, certainty=certainty.get(item.id)))
    return found


def spread(items: Iterable[Item]) -> list[Item]:
    """By chance, each document's first before any document's second: slices of one document tell less than others."""
    places: defaultdict[str, int] = defaultdict(int)
    placed = []
    for item in sorted(items, key=drawn):
        placed.append((places[item.document], item))
        places[item.document] += 1
    return [item for _, item in sorted(placed, key=lambda entry: entry[0])]
