"""A round's items: each arm in its share, nothing twice, nothing alike, chance left alone."""

from __future__ import annotations

import hashlib
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.label.campaigning import choice
from workloads.label.campaigning.rounds import How
from workloads.label.params import Params
from workloads.label.records import Arm, Item

ARM = {How.UNCERTAIN: Arm.ASSISTED, How.DRAWN: Arm.CONTROL, How.HELD_OUT: Arm.TEST}


def params(**campaign: object) -> Params:
    """Of a project with a campaign."""
    return Params.model_validate(
        {"name": "p", "labels": ["A"], "source": {"folder": "."}, "campaign": {"batch": 40} | campaign}
    )


def item(number: int, arm: Arm, document: int, text: str = "") -> Item:
    """One of a document; every text unlike the others unless it is given."""
    words = text or " ".join(hashlib.sha256(f"{number} {at}".encode()).hexdigest()[:6] for at in range(12))
    name = hashlib.sha256(str((document, arm)).encode()).hexdigest()
    return Item(id=f"{number:016x}", document=name, part=number, start=0, text=words, arm=arm)


@st.composite
def pools(draw: st.DrawFn) -> tuple[list[Item], set[str], dict[str, float], int]:
    """Items, those published, certainties of some, and how many are wanted."""
    arms = draw(st.lists(st.tuples(st.sampled_from(list(Arm)), st.integers(0, 12)), max_size=80))
    items = [item(number, arm, document) for number, (arm, document) in enumerate(arms)]
    some = st.sets(st.sampled_from([each.id for each in items])) if items else st.just(set[str]())
    return items, draw(some), {name: draw(st.floats(0, 1)) for name in draw(some)}, draw(st.integers(0, 60))


@settings(deadline=None)
@given(pools())
def test_a_round_is_of_new_items_each_for_its_reason(pool: tuple[list[Item], set[str], dict[str, float], int]) -> None:
    """At most as many as are wanted, none that was published or chosen twice, and the reason fits the arm."""
    items, published, certain, size = pool
    picks = choice.choose(items, published, certain, params(), size)
    by_name = {each.id: each for each in items}
    assert len({pick.item for pick in picks}) == len(picks) <= size
    assert not {pick.item for pick in picks} & published
    assert all(by_name[pick.item].arm is ARM[pick.how] for pick in picks)
    left = Counter(each.arm for each in items if each.id not in published)
    arms = Counter(pick.how for pick in picks)
    assert arms[How.DRAWN] == min(left[Arm.CONTROL], round(0.15 * size))
    assert arms[How.HELD_OUT] == min(left[Arm.TEST], round(0.15 * size))


@settings(deadline=None)
@given(pools())
def test_no_model_moves_what_chance_draws(pool: tuple[list[Item], set[str], dict[str, float], int]) -> None:
    """The random arm and the held-out items are the same whatever the certainties."""
    items, published, certain, size = pool
    of = [
        [pick.item for pick in choice.choose(items, published, told, params(), size) if pick.how is not How.UNCERTAIN]
        for told in (certain, {})
    ]
    assert of[0] == of[1]


def test_the_least_certain_come_and_none_like_another() -> None:
    """A form that stands in the archive again and again is asked about once, however uncertain it is."""
    items = [item(at, Arm.ASSISTED, at) for at in range(20)]
    copies = [
        item(100 + at, Arm.ASSISTED, 100 + at, "the same old sentence that is in every single letter")
        for at in range(9)
    ]
    certain = {each.id: 0.5 + at / 100 for at, each in enumerate(items)} | {each.id: 0.1 for each in copies}
    picks = choice.choose([*items, *copies], {copies[0].id}, certain, params(), 10)
    assert [pick.item for pick in picks] == [each.id for each in items[:10]]
    picks = choice.choose([*items, *copies], set(), certain, params(), 10)
    assert sum(pick.item in {each.id for each in copies} for pick in picks) == 1


def test_one_document_does_not_fill_a_round() -> None:
    """A tenth of a round at most is of one document, though all of it is uncertain."""
    odd = [item(at, Arm.ASSISTED, 0) for at in range(50)]
    others = [item(100 + at, Arm.ASSISTED, 1 + at) for at in range(50)]
    picks = choice.choose([*odd, *others], set(), {each.id: 0.9 for each in others}, params(), 40)
    assert sum(pick.item in {each.id for each in odd} for pick in picks) == 4


def test_every_document_is_drawn_before_any_is_drawn_twice() -> None:
    """Pages of one document tell less than those of many."""
    items = [item(at, Arm.CONTROL, at % 7) for at in range(70)]
    came = [each.document for each in choice.spread(items)]
    assert all(len(set(came[at : at + 7])) == 7 for at in range(0, 70, 7))
