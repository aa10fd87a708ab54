"""What the stage decides without a server: who waits for a promotion, and what was counted since."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.label.promoting.probes import Probe
from workloads.label.promoting.server import Counted
from workloads.label.records import Promotion, PromotionEnd, Verdict
from workloads.label.stages.promote import over

NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def verdict(*reasons: str) -> Verdict:
    """Of noon."""
    return Verdict(run="r1", passed=not reasons, reasons=list(reasons), at=NOON)


def promotion(end: PromotionEnd, minutes: int) -> Promotion:
    """One that ended so many minutes after noon."""
    at = NOON + dt.timedelta(minutes=minutes)
    return Promotion(
        run="r1", model="m", version=1, before=None, end=end, detail="", first_review_at=None, began_at=at, ended_at=at
    )


@pytest.mark.parametrize(
    ("said", "ended", "evaluated", "why_not"),
    [
        (None, [], True, ""),
        (None, [], False, "was not evaluated"),
        (verdict(), [], True, ""),  # killed behind its verdict
        (verdict(), [promotion(PromotionEnd.REFUSED, -5)], True, ""),  # evaluated anew since
        (verdict("F1 is 0.1"), [], True, "was refused: F1 is 0.1"),
        (verdict(), [promotion(PromotionEnd.SERVING, 1)], True, "had its promotion: serving"),
        (verdict(), [promotion(PromotionEnd.REFUSED, 1)], True, "had its promotion: refused"),
        (None, [promotion(PromotionEnd.ROLLED_BACK, -5)], True, "was rolled back: the next one"),
    ],
)
def test_a_candidate_waits_until_it_had_its_promotion(
    said: Verdict | None, ended: list[Promotion], evaluated: bool, why_not: str
) -> None:
    """Killed ones wait again; what was rolled back does not come again by itself, however often it is evaluated."""
    found = over(said, ended, evaluated=evaluated)

    assert found.startswith(why_not) if why_not else not found


counts = st.builds(Counted, st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 10**6))


@given(counts, counts)
def test_what_came_since_is_never_negative(before: Counted, now: Counted) -> None:
    """A server that restarted counts from nothing: then all of it came since."""
    seen = now.since(before)

    assert seen.succeeded >= 0
    assert seen.failed >= 0
    assert seen == now or (seen.succeeded, seen.failed) == (
        now.succeeded - before.succeeded,
        now.failed - before.failed,
    )


@given(st.lists(st.integers(-1, 4), min_size=1), st.lists(st.integers(0, 4), min_size=1))
def test_an_answer_is_the_known_one_wherever_that_is_known(known: list[int], said: list[int]) -> None:
    """One class for each token; where two were too close to call, either will do."""
    same = len(known) == len(said) and all(a in {-1, b} for a, b in zip(known, said, strict=False))

    assert Probe(tokens=[1] * len(known), classes=known).answered_by(said) == same
