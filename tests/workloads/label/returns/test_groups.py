"""Which reviews may be compared with which, what counts as a lead time, and what became of suggestions."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.label.returns.archive import NOW, item, review, span
from workloads.label.records import Arm, Review
from workloads.label.returns.file import Group
from workloads.label.returns.groups import by_group, lead_times, seen
from workloads.label.returns.shown import shown

CAP_S = 900.0
HOUR = dt.timedelta(hours=1)
ITEMS = {one.id: one for number, arm in enumerate(Arm) for one in [item(number, arm)]}
MANY = st.lists(
    st.builds(
        lambda of, hours, lead_s, skipped, suggested, reviewer: review(
            of, NOW + hours * HOUR, lead_s, skipped=skipped, shown=suggested, reviewer=reviewer
        ),
        st.sampled_from([*ITEMS.values()]),
        st.integers(0, 100),
        st.none() | st.floats(-10, 1e6),
        st.booleans(),
        st.none() | st.just([]) | st.just([span(0)]) | st.just([span(3)]),
        st.integers(1, 3),
    )
)


@given(MANY)
def test_every_review_is_counted_once(reviews: list[Review]) -> None:
    """The groups add up to all reviews, and no part of one is larger than the whole."""
    groups = by_group(seen(reviews, ITEMS, CAP_S))
    assert sum(of.reviews + of.skipped for of in groups.values()) == len(reviews)
    for of in groups.values():
        assert of.capped <= of.timed <= of.reviews
        assert (of.median_s is None) == (of.mean_s is None) == (of.timed == 0)
        assert of.median_s is None or 0 < of.median_s <= CAP_S


@given(MANY)
def test_nothing_is_compared_across_the_first_prediction(reviews: list[Review]) -> None:
    """Until the first prediction was shown everything is `before`; since then nothing is, and only draws are named."""
    found = seen(reviews, ITEMS, CAP_S)
    first = min((one.at for one in reviews if one.shown is not None), default=None)
    for one in found:
        assert (one.group is Group.BEFORE) == (first is None or one.review.at < first)
        if one.group is Group.ASSISTED:
            assert one.item.arm is Arm.ASSISTED
            assert one.review.shown is not None
        if one.group is Group.BLANK:
            assert one.item.arm is not Arm.ASSISTED
            assert one.review.shown is None


@given(MANY)
def test_what_became_of_suggestions_adds_up(reviews: list[Review]) -> None:
    """Every review of a suggestion has one outcome; what is kept was suggested."""
    found = shown(seen(reviews, ITEMS, CAP_S))
    counted = sum(one.accepted + one.edited + one.rejected + one.skipped for one in found)
    assert counted == sum(one.shown is not None for one in reviews)
    assert all(one.kept <= min(one.spans, one.reviewed) for one in found)


def test_lunch_counts_as_the_cap_and_silence_as_nothing() -> None:
    """A lead time of hours is fifteen minutes; none, 0 and less are not known, and are no part of n."""
    one = item(1)
    leads = [3600.0 * 3, 60.0, 30.0, None, 0.0, -5.0]
    found = lead_times(seen([review(one, NOW, lead) for lead in leads], {one.id: one}, CAP_S))
    assert (found.reviews, found.timed, found.capped, found.median_s, found.mean_s) == (6, 3, 1, 60.0, 330.0)


def test_skipping_makes_nobody_faster() -> None:
    """The seconds of a skipped item are in no median; that it was skipped is told."""
    one = item(1)
    reviews = [review(one, NOW, 100.0), review(one, NOW, 1.0, skipped=True), review(one, NOW, 1.0, skipped=True)]
    found = lead_times(seen(reviews, {one.id: one}, CAP_S))
    assert (found.reviews, found.skipped, found.median_s) == (1, 2, 100.0)


def test_synthetic_and_unknown_items_are_nobodys_work() -> None:
    """Their reviews are in no figure."""
    real, made_up = item(1), item(2, synthetic=True)
    known = {one.id: one for one in (real, made_up)}
    reviews = [review(real, NOW), review(made_up, NOW), review(item(3), NOW)]
    assert [one.item for one in seen(reviews, known, CAP_S)] == [real]


def test_what_was_published_before_the_model_is_compared_with_nothing() -> None:
    """An item drawn to be assisted, and shown without since nothing served: neither blank nor assisted."""
    late, helped = item(1), item(2)
    reviews = [review(helped, NOW, shown=[span(0)]), review(late, NOW + HOUR)]
    groups = [one.group for one in seen(reviews, {one.id: one for one in (late, helped)}, CAP_S)]
    assert groups == [Group.ASSISTED, Group.REST]


@pytest.mark.parametrize(
    ("suggested", "left", "outcome"),
    [
        ([0, 12], [0, 12], "accepted"),
        ([0, 12], [0], "edited"),
        ([0], [0, 12], "edited"),
        ([0], [12], "rejected"),
        ([0], [], "rejected"),
        ([], [0], "edited"),
        ([], [], "accepted"),
    ],
)
def test_the_outcome_of_a_suggestion(suggested: list[int], left: list[int], outcome: str) -> None:
    """Accepted: nothing changed; rejected: something was suggested and nothing of it stayed; edited: the rest."""
    one = item(1)
    told = review(one, NOW, shown=[*map(span, suggested)], spans=[*map(span, left)], model="contracts:1")
    (found,) = shown(seen([told], {one.id: one}, CAP_S))
    assert (found.accepted, found.edited, found.rejected) == tuple(
        int(outcome == name) for name in ("accepted", "edited", "rejected")
    )
    assert (found.spans, found.reviewed) == (len(suggested), len(left))
