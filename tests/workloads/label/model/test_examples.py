"""What is learned from: the last word on each item, never a held-out one; and whether that is worth a training."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import ConfigError
from workloads.label import testset
from workloads.label.learning.candidates import Candidate, Recipe
from workloads.label.learning.examples import (
    Example,
    Learned,
    divided,
    first_unseen,
    reviewed,
    seeds,
    training_sha256,
    unseen,
)
from workloads.label.params import Finetune
from workloads.label.records import Arm, Item, ModelCard, Review, Span
from workloads.label.stages.finetune import nothing_new
from workloads.label.testset import HeldOut
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
RECIPE = Recipe(
    base="b", base_sha256="0" * 64, labels=["A"], epochs=1, batch=1, learning_rate=0.1, seed=1,
    window_tokens=16, overlap_tokens=4,
)  # fmt: skip


def item(number: int, arm: Arm = Arm.ASSISTED, text: str = "") -> Item:
    """One of a document of its own."""
    return Item(id=f"{number:016x}", document=f"{number:064x}", part=0, start=0, text=text or f"text {number}", arm=arm)


def review(number: int, minute: int = 0, end: int = 4, *, skipped: bool = False) -> Review:
    """Of the item of this number, with one entity up to `end`."""
    return Review(
        item=f"{number:016x}", task=number, annotation=1000 * number + minute, reviewer=1, shown=None, model=None,
        spans=[Span(start=0, end=end, label="A")], skipped=skipped, lead_time_s=None,
        at=NOW + dt.timedelta(minutes=minute),
    )  # fmt: skip


def learned(examples: list[Example]) -> list[Learned]:
    """As a candidate would have them."""
    return [Learned(item=each.item, digest=each.digest, at=each.at, apart=False) for each in examples]


def test_the_last_review_of_an_item_counts() -> None:
    """Whatever the order in which they came; a skip takes nothing back."""
    told = reviewed([item(1)], [review(1, 2, end=2), review(1, 1), review(1, 3, skipped=True)])

    assert [(each.item, each.spans[0].end, each.at) for each in told] == [
        (item(1).id, 2, NOW + dt.timedelta(minutes=2))
    ]


def test_held_out_items_are_never_learned_from() -> None:
    """Nor is an item with the same text as one, nor a review of something that is not there."""
    items = [item(1, Arm.TEST, "same"), item(2, Arm.ASSISTED, "same"), item(3, Arm.CONTROL), item(4)]

    assert [each.item for each in reviewed(items, map(review, range(1, 6)))] == [item(3).id, item(4).id]


@given(st.lists(st.integers(0, 30), max_size=60))
def test_one_document_in_eight_is_kept_apart_whole(documents: list[int]) -> None:
    """The same ones every time, in whatever order; none of a handful."""
    examples = [
        Example(item=f"{at:016x}", document=f"{number:064x}", text="t", spans=[], at=NOW)
        for at, number in enumerate(documents)
    ]
    kept, apart = divided(examples)
    names = {each.document for each in examples}

    assert len({each.document for each in apart}) == (max(1, len(names) // 8) if len(names) >= 4 else 0)
    assert {each.document for each in kept} == names - {each.document for each in apart}
    assert {each.document for each in divided(reversed(examples))[1]} == {each.document for each in apart}


def test_a_digest_changes_with_what_is_learned() -> None:
    """Texts and spans, not their order, nor who reviewed it when."""
    one, other = reviewed([item(1), item(2)], [review(1), review(2)])
    again = reviewed([item(1)], [review(1, minute=9)])[0]
    corrected = reviewed([item(1)], [review(1, end=3)])[0]

    assert training_sha256([one, other]) == training_sha256([other, again])
    assert training_sha256([one]) != training_sha256([corrected])
    assert unseen([one, other, corrected], learned([again])) == [other, corrected]


def test_the_first_review_of_what_is_new_is_known() -> None:
    """That of the oldest that the model before had not; seeds have no time."""
    before = reviewed([item(1)], [review(1)])
    now = reviewed([item(1), item(2), item(3)], [review(1), review(2, 5), review(3, 4)])

    assert first_unseen(learned(now), learned(before)) == NOW + dt.timedelta(minutes=4)
    assert first_unseen(learned(before), learned(before)) is None


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        (None, 0, "nobody has reviewed anything, and the project has no seeds"),
        (None, 4, "4 reviews, 5 are wanted"),
        (None, 5, ""),
        (5, 5, "0 new reviews since the last candidate, 5 are wanted"),
        (5, 9, "4 new reviews since the last candidate, 5 are wanted"),
        (5, 10, ""),
    ],
)
def test_nothing_is_trained_in_vain(before: int | None, now: int, why: str) -> None:
    """Too little that is new is told with its numbers."""
    examples = reviewed(map(item, range(now)), map(review, range(now)))
    last = candidate(examples[:before]) if before else None

    assert nothing_new(examples, RECIPE, last, Finetune(least_new_reviews=5)) == why
    if last and examples:
        assert nothing_new(examples, RECIPE.model_copy(update={"seed": 2}), last, Finetune()) == ""


def candidate(examples: list[Example]) -> Candidate:
    """One that was made of these."""
    card = ModelCard(
        run="r", project="p", labels=["A"], base="b", tokenizer_sha256="0" * 64, onnx_sha256="0" * 64,
        examples=len(examples), synthetic=0, training_sha256=training_sha256(examples), seed=1, epochs=1,
        temperature=1, max_tokens=16, parity=0, versions={}, trained_at=NOW,
    )  # fmt: skip
    return Candidate("r", None, card, RECIPE, learned(examples))  # it is not looked at


def test_seeds_are_read_with_the_offsets_of_their_lines(tmp_path: Path) -> None:
    """A sentence twice counts once; control characters do not shift anything."""
    lines = [{"text": "a\r\nbc", "spans": [{"start": 3, "end": 5, "label": "A"}]}] * 2
    (tmp_path / "seeds").write_text("\n".join(map(json.dumps, lines)) + "\n\n")

    told = seeds(tmp_path / "seeds", ["A"])

    assert [(each.text[each.spans[0].start : each.spans[0].end], each.at, each.synthetic) for each in told] == [
        ("bc", None, True)
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "ab", "spans": [{"start": 1, "end": 3, "label": "A"}]}', "line 2: A from 1 to 3"),
        ('{"text": "ab", "spans": [{"start": 0, "end": 1, "label": "B"}]}', "line 2: B from 0 to 1"),
        ('{"text": "ab", "spans": [{"start": 1, "end": 1, "label": "A"}]}', "line 2: spans.0"),
        ('{"text": ""}', "line 2: text"),
        ("nothing", "line 2: "),
    ],
)
def test_a_fault_in_seeds_is_told_with_its_line(tmp_path: Path, line: str, told: str) -> None:
    """Nothing is learned from what its owner did not mean."""
    (tmp_path / "seeds").write_text(f'{{"text": "a", "spans": []}}\n{line}\n')

    with pytest.raises(ConfigError, match=told):
        seeds(tmp_path / "seeds", ["A"])


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 4), st.booleans()), max_size=12), st.integers(0, 12))
def test_test_sets_only_grow(told: list[tuple[int, int, bool]], first: int) -> None:
    """Each version has all items of the one before, one review each, and there is none without news."""
    items = [item(number, Arm.TEST if number % 2 else Arm.ASSISTED) for number in range(7)]
    reviews = [review(n, minute, end, skipped=skip) for minute, (n, end, skip) in enumerate(told)]
    before = testset.grown(None, items, reviews[:first])
    after = testset.grown(before, items, reviews)

    for version in (before, after):
        if version:
            assert [each.id for each in version.items] == [each.item for each in version.reviews]
            assert all(each.arm is Arm.TEST for each in version.items)
            assert len({each.id for each in version.items}) == len(version.items)
    if after and before:
        assert {each.id for each in before.items} <= {each.id for each in after.items}
        assert (before.version, after.version) == ("v001", "v002")
    assert testset.grown(after or before, items, reviews) is None


def test_a_test_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The newest of a thousand, and none where there is none."""
    work = Workspace(tmp_path)
    assert testset.newest(work) is None
    for number in (1, 999, 1000):
        held = HeldOut(f"v{number:03}", (item(number, Arm.TEST),), (review(number),))
        testset.write(work, held)
        assert testset.newest(work) == held
