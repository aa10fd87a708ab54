"""Drawn items of a campaign → those that a model knows nothing of: the random arm, as questions to it. Pure.

It costs no review of its own. The documents were drawn before anybody looked, so they are the archive's; people were
shown no prediction of them, so that their labels owe nothing to any model; and they are of rounds after the model's
last, so that it learned nothing from them. One page of each document: what is estimated is F1 on a page of a document,
both drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.label.campaigning.rounds import How
from workloads.label.learning.scoring import Question

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from workloads.label.campaigning.rounds import Round
    from workloads.label.records import Item, Review


def unlearned(
    rounds: Iterable[Round],
    number: int,
    documents: Collection[str],
    items: Mapping[str, Item],
    said: Mapping[str, Review],
) -> list[Question]:
    """Reviewed drawn items of rounds after `number`, the first of each document that is not among `documents`."""
    found: dict[str, Question] = {}
    for each in rounds:
        for pick in each.picks if each.number > number else ():
            if pick.how is How.DRAWN and pick.item in said and (item := items[pick.item]).document not in documents:
                found.setdefault(item.document, Question(item.document, item.text, said[item.id].spans))
    return list(found.values())
