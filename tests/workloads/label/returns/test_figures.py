"""Models on their way, the backlog and the cost; and that the whole of a project stays the same."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.label.returns.archive import (
    BEGAN,
    LEARNED_UNTIL,
    NOW,
    item,
    known,
    params,
    promotion,
    review,
    span,
)
from tests.workloads.label.returns.archive import learned as knows
from workloads.label.records import Arm, PromotionEnd
from workloads.label.returns.backlog import LEAST_HANDLED, backlog, forecast, months
from workloads.label.returns.delivery import deliveries, serving, waiting
from workloads.label.returns.figures import Known, cost, figures
from workloads.label.returns.file import Group, Roi
from workloads.label.returns.groups import seen

DAY = dt.timedelta(days=1)
MOMENTS = st.integers(0, 500).map(lambda days: NOW - days * DAY)


def test_the_figures_of_a_project() -> None:
    """What is made up is found again: twice as fast with help, two models, a pace of five to six items a day."""
    roi = figures(params(), known(), NOW)
    assert roi.comparison
    assert roi.comparison.speedup_low < 2.0 < roi.comparison.speedup_high
    assert [one.model for one in roi.deliveries] == ["contracts:1", "contracts:2"]
    assert roi.deliveries[1].seconds == (50 * DAY - dt.timedelta(hours=2)).total_seconds()
    assert roi.waiting
    assert roi.waiting.oldest_at
    assert LEARNED_UNTIL < roi.waiting.oldest_at < LEARNED_UNTIL + DAY
    assert (roi.backlog.open, roi.backlog.published) == (200, 50)
    assert roi.backlog.finished + roi.backlog.skipped == 600
    assert roi.backlog.months[-1].open == roi.backlog.open
    assert [month.month for month in roi.backlog.months] == ["2026-08", "2026-09", "2026-10", "2026-11"]
    assert roi.backlog.forecast
    assert (roi.backlog.forecast.end_at - NOW).days == pytest.approx(200 / (600 / 110), abs=2)
    assert roi.held_out
    assert roi.held_out.model == "contracts:2"
    assert Roi.model_validate_json(roi.model_dump_json()) == roi


def test_a_project_without_reviews_has_no_figures() -> None:
    """Nothing is 0 that is not known: what cannot be told is absent."""
    roi = figures(params(), Known(items=[item(1)]), NOW)
    assert (roi.groups, roi.comparison, roi.held_out, roi.deliveries, roi.cost) == ({}, None, None, [], None)
    assert roi.waiting
    assert (roi.waiting.oldest_at, roi.backlog.forecast, roi.backlog.open) == (None, None, 1)


def test_only_what_came_to_serve_was_delivered() -> None:
    """A promotion that was refused or rolled back, and a model of seeds alone, have no latency."""
    first = NOW - 9 * DAY
    tried = [
        promotion(1, None, NOW - 8 * DAY),
        promotion(2, first, NOW - 2 * DAY, end=PromotionEnd.ROLLED_BACK),
        promotion(3, first, NOW - DAY, end=PromotionEnd.REFUSED),
        promotion(4, first, NOW),
    ]
    assert [(one.model, one.seconds) for one in deliveries(tried)] == [("contracts:4", 9 * 86400.0)]


def test_a_model_that_a_person_took_back_delivers_nothing() -> None:
    """The version that serves again is the one that counts: what the other had learned waits anew."""
    first, second = promotion(1, NOW - 9 * DAY, NOW - 8 * DAY), promotion(2, NOW - 7 * DAY, NOW - 2 * DAY)
    back = promotion(2, None, NOW, end=PromotionEnd.ROLLED_BACK, before=1)
    assert serving([first, second]) == second
    assert serving([back, second, first]) == first
    assert [one.model for one in deliveries([first, second, back])] == ["contracts:1"]


def test_nothing_serves_after_the_first_model_was_taken_back() -> None:
    """A server that serves nothing has learned from nobody."""
    first = promotion(1, NOW - 9 * DAY, NOW - 8 * DAY)
    assert serving([first, promotion(1, None, NOW, end=PromotionEnd.ROLLED_BACK, before=None)]) is None
    assert serving([]) is None


def test_what_a_model_may_train_on_waits_until_one_has() -> None:
    """Held-out, skipped and learned reviews do not wait; an item that two people saw waits once."""
    learned, new, held, skipped = item(1), item(2), item(3, Arm.TEST), item(4)
    items = [learned, new, held, skipped]
    reviews = [
        review(learned, NOW - 3 * DAY), review(new, NOW - DAY), review(new, NOW, reviewer=2), review(held, NOW),
        review(skipped, NOW, skipped=True),
    ]  # fmt: skip
    found = waiting(items, reviews, knows(items, reviews[:1]), 20)
    assert (found.reviews, found.oldest_at) == (1, NOW)
    assert waiting(items, reviews, [], 20).oldest_at == NOW - 3 * DAY


def test_a_review_that_somebody_changes_waits_anew() -> None:
    """A model that learned the old spans has not learned the new ones; one that is touched and left as it was has."""
    one = item(1)
    old = review(one, NOW - 3 * DAY)
    changed, touched = review(one, NOW, spans=[span(12)]), review(one, NOW)
    assert waiting([one], [changed], knows([one], [old]), 20).oldest_at == NOW
    assert waiting([one], [touched], knows([one], [old]), 20).reviews == 0


@given(st.lists(MOMENTS), st.lists(MOMENTS))
def test_months_have_no_gaps_and_add_up(added: list[dt.datetime], handled: list[dt.datetime]) -> None:
    """At most thirteen, each one after the last, and none counts what another has counted."""
    found = months(added, handled, [], NOW)
    assert len(found) <= 13
    assert found[-1].month == "2026-11"
    starts = [dt.date.fromisoformat(f"{one.month}-01") for one in found]
    assert all((after - before).days in {28, 29, 30, 31} for before, after in pairwise(starts))
    within = [when for when in added if f"{when:%Y-%m}" >= found[0].month]
    assert sum(one.added for one in found) == len(within)
    assert found[-1].open == max(0, len(added) - len(handled))


@given(st.integers(0, 100_000), st.lists(MOMENTS, max_size=200))
def test_a_forecast_is_later_than_now_and_within_its_interval(left: int, handled: list[dt.datetime]) -> None:
    """Where there is one at all, and never from fewer items than it needs."""
    found = forecast(left, handled, NOW)
    if found:
        assert left
        assert found.handled >= LEAST_HANDLED
        assert NOW < found.end_early_at <= (found.end_late_at or dt.datetime.max.replace(tzinfo=dt.UTC))


def test_an_item_is_handled_once_and_when_it_was_first_looked_at() -> None:
    """A second look, months later, is no progress; an item that was skipped and then reviewed is finished."""
    one, other = item(1), item(2)
    reviews = [review(one, NOW - 60 * DAY, skipped=True), review(one, NOW), review(other, NOW - 60 * DAY, skipped=True)]
    found = backlog([one, other], seen(reviews, {one.id: one, other.id: other}, 900.0), {}, {other.id}, NOW)
    assert (found.open, found.finished, found.skipped, found.published) == (0, 1, 1, 0)
    assert {month.month: month.handled for month in found.months} == {"2026-09": 2, "2026-10": 0, "2026-11": 0}


def test_a_week_must_have_passed_before_anything_is_foretold() -> None:
    """One busy day is no pace."""
    assert forecast(100, [NOW - 6 * DAY] + [NOW - DAY] * 50, NOW) is None
    assert forecast(100, [NOW - 7 * DAY] + [NOW - DAY] * 50, NOW)
    assert forecast(0, [NOW - 7 * DAY] + [NOW - DAY] * 50, NOW) is None


def test_a_pace_of_long_ago_foretells_nothing() -> None:
    """Only the last four weeks count."""
    assert forecast(100, [BEGAN] * 500 + [NOW - DAY], NOW) is None


def test_finished_items_pay_for_second_and_skipped_ones() -> None:
    """Four reviews of 30 s each, one item finished by two people and one skipped twice: 120 s for one item, 1.50."""
    twice, never = item(1), item(2)
    reviews = [review(twice, NOW, 30.0, reviewer=1), review(twice, NOW, 30.0, reviewer=2)]
    reviews += [review(never, NOW, 30.0, skipped=True, reviewer=1), review(never, NOW, None, skipped=True, reviewer=2)]
    found = cost(seen(reviews, {one.id: one for one in (twice, never)}, 900.0), 45.0)
    assert found
    assert (found.items, found.reviews, found.timed, found.seconds, found.money) == (1, 4, 3, 120.0, 1.5)


def test_without_an_hourly_cost_there_is_no_money() -> None:
    """0 means that nobody said; it is never shown as free work."""
    roi = figures(params(hourly_cost=0.0), known(), NOW)
    assert roi.hourly_cost is None
    assert roi.cost
    assert roi.cost.money is None
    assert roi.cost.seconds > 0


def test_before_is_the_time_before_the_first_model() -> None:
    """Reviews of the first month are told, and compared with nothing."""
    roi = figures(params(), known(), NOW)
    assert roi.groups[Group.BEFORE].reviews > 100
    assert roi.comparison
    assert roi.comparison.blank == roi.groups[Group.BLANK].timed
