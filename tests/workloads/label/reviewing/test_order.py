"""The order in which people see items: least certain first, and every arm in its share at any moment."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from workloads.label.records import Arm, Item, Prediction
from workloads.label.reviewing.order import ordered

if TYPE_CHECKING:
    import random

ARMS = st.lists(st.sampled_from(list(Arm)), max_size=60)
AT = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def item(number: int, arm: Arm) -> Item:
    """One of many."""
    return Item(id=f"{number:016x}", document="0" * 64, part=number, start=0, text="x", arm=arm)


def said(of: Item, certainty: float) -> Prediction:
    """How sure a model is of it."""
    return Prediction(
        item=of.id, model="m:1", run="r", tokenizer_sha256="0" * 64, source="s", spans=[], certainty=certainty, at=AT
    )


@given(ARMS)
def test_every_arm_has_its_share_of_any_beginning(arms: list[Arm]) -> None:
    """Whenever people stop, the held-out and the blank items among what they saw are their share, give or take one."""
    items = [item(number, arm) for number, arm in enumerate(arms)]

    came = ordered(items, {})

    assert sorted(came, key=lambda each: each.id) == items
    for seen in range(len(came) + 1):
        for arm in set(arms):
            share = arms.count(arm) * seen / len(arms)
            assert abs(sum(each.arm is arm for each in came[:seen]) - share) <= 1


@given(ARMS, st.randoms(use_true_random=False))
def test_the_least_certain_come_first(arms: list[Arm], chance: random.Random) -> None:
    """Among the assisted; items that no model has seen before all others."""
    items = [item(number, arm) for number, arm in enumerate(arms)]
    certain = {each.id: chance.random() for each in items if chance.random() < 0.8}
    predictions = {each.id: said(each, certain[each.id]) for each in items if each.id in certain}

    came = [certain.get(each.id, 0.0) for each in ordered(items, predictions) if each.arm is Arm.ASSISTED]

    assert came == sorted(came)


@given(ARMS, st.randoms(use_true_random=False))
def test_no_model_and_no_folder_moves_a_blank_item(arms: list[Arm], chance: random.Random) -> None:
    """Which held-out items come first depends neither on what a model says nor on the order of the documents."""
    items = [item(number, arm) for number, arm in enumerate(arms)]
    predictions = {each.id: said(each, chance.random()) for each in items}
    mixed = chance.sample(items, len(items))

    blank = [each for each in ordered(items, {}) if each.arm is not Arm.ASSISTED]

    assert [each for each in ordered(mixed, predictions) if each.arm is not Arm.ASSISTED] == blank
