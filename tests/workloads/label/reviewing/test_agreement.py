"""Several people's marks of one item → how far they agree."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.label.records import Review, Span
from workloads.label.reviewing.agreement import Agreement, agreement

ADA, DAY = (0, 3, "PARTY"), (5, 9, "DATE")
MARKS = st.frozensets(st.sampled_from([ADA, DAY, (0, 9, "PARTY"), (5, 9, "PARTY")]))


def said(item: str, person: int, *marks: tuple[int, int, str], hour: int = 0, skipped: bool = False) -> Review:
    """One review."""
    spans = [Span(start=start, end=end, label=label) for start, end, label in marks]
    at = dt.datetime(2026, 1, 2, hour, tzinfo=dt.UTC)
    return Review(
        item=item, task=1, annotation=hour * 10 + person, reviewer=person, spans=spans, shown=None, model=None,
        skipped=skipped, lead_time_s=None, at=at,
    )  # fmt: skip


def test_one_person_agrees_with_nobody() -> None:
    """Where no item has two people, there is no figure, instead of a perfect one; skipping says nothing."""
    assert agreement([said("a", 1, ADA), said("a", 1, DAY, hour=1), said("b", 2, ADA)]) is None
    assert agreement([said("a", 1, ADA), said("a", 2, skipped=True)]) is None


def test_half_of_the_marks_in_common() -> None:
    """Two marks beside one, which is among them: two thirds; and an item both found empty is agreed on."""
    told = agreement([said("a", 1, ADA, DAY), said("a", 2, ADA), said("b", 1), said("b", 2)])

    assert told == Agreement(pairs=2, alike=1, shared=pytest.approx((2 / 3 + 1) / 2))


def test_the_last_word_of_each_person_counts() -> None:
    """Who changed their mind is not held to the first one."""
    told = agreement([said("a", 1, DAY), said("a", 2, ADA), said("a", 1, ADA, hour=1)])

    assert told == Agreement(pairs=1, alike=1, shared=1.0)


@given(MARKS, MARKS)
def test_it_does_not_matter_whom_one_calls_first(
    one: frozenset[tuple[int, int, str]], other: frozenset[tuple[int, int, str]]
) -> None:
    """Alike, all is shared, and the other way round; nothing in common is nothing."""
    told, turned = (agreement([said("a", 1, *a), said("a", 2, *b)]) for a, b in ((one, other), (other, one)))

    assert told == turned
    assert told
    assert (told.shared == 1) is (told.alike == 1) is (one == other)
    assert (told.shared == 0) is (not one & other and one | other != frozenset())
