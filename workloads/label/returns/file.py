"""roi.json, typed: what stage roi writes and the exporter, the run report and `label status` read.

A figure that is not known is None, never 0, and stands in one record with the n that it was made from. Seconds are
capped lead times; money is in `currency`; months are those of UTC.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from workloads.label.records import Count, Record, Score, Share

FILE = "roi.json"
Seconds = Annotated[float, Field(ge=0)]
MonthName = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]


class Group(StrEnum):
    """With which others a review may be compared. `blank` and `assisted` were drawn by chance and are of one time."""

    BEFORE = "before"  # until anybody was shown a prediction: another time, and people who were still learning
    BLANK = "blank"  # since then, shown without on purpose (arms control and test): what would be without the model
    ASSISTED = "assisted"  # since then, shown with a prediction
    REST = "rest"  # since then, shown without because no model served yet: not drawn, compared with nothing


class LeadTimes(Record):
    """How long reviews took; skipped ones are counted, and their time is part of the cost, but of nothing here."""

    reviews: Count  # not skipped
    skipped: Count
    timed: Count  # n: of `reviews`, those whose lead time is known
    capped: Count  # of `timed`, those that took longer than the cap and count as the cap
    documents: Count  # that `timed` are of
    reviewers: Count  # that `timed` are by
    median_s: Seconds | None
    mean_s: Seconds | None


class Comparison(Record):
    """Assisted against blank, by their reviews whose lead time is known. Intervals are of 95 %."""

    blank: Count  # n
    assisted: Count  # n
    blank_documents: Count  # the bootstrap draws these
    assisted_documents: Count
    speedup: Annotated[float, Field(gt=0)]  # median lead time blank ÷ assisted; below 1 the model slows people down
    speedup_low: Annotated[float, Field(gt=0)]
    speedup_high: Annotated[float, Field(gt=0)]
    saved_s: float  # in all: assisted times mean blank less mean assisted; negative when time was lost
    saved_low_s: float
    saved_high_s: float


class Shown(Record):
    """What people made of one model's suggestions."""

    model: str
    accepted: Count  # nothing changed
    edited: Count
    rejected: Count  # something was suggested, nothing of it stayed
    skipped: Count
    spans: Count  # suggested in reviews that were not skipped
    kept: Count  # of them, unchanged in place and label
    reviewed: Count  # spans that people left in the end


class HeldOut(Record):
    """What the serving model is worth on items that nobody was shown a prediction of."""

    model: str
    test_set: str
    items: Count
    documents: Count
    score: Score


class Agreed(Record):
    """Two people, one item: what they do not agree on, no model can be right about."""

    pairs: Count  # n
    alike: Count  # of them, to the last span
    shared: Share  # mean share of spans in common (Dice): the F1 of one person measured by the other


class Delivery(Record):
    """One model, from the first correction that only it learned from until it served."""

    model: str
    run: str
    first_review_at: dt.datetime
    serving_at: dt.datetime
    seconds: Seconds


class Waiting(Record):
    """Reviews that the serving model has yet to learn from, an item once; held-out and skipped ones never are."""

    reviews: Count
    needed: Count  # fewer train no model
    oldest_at: dt.datetime | None


class Month(Record):
    """One calendar month."""

    month: MonthName
    added: Count  # items whose document came
    handled: Count  # items whose first review came, skipped or not
    open: Count  # items left at its end
    groups: dict[Group, LeadTimes]


class Forecast(Record):
    """When nothing is left to review at the pace of the last weeks, if no more documents come."""

    days: Count  # n: that the pace is of
    handled: Count  # n: items in them
    per_day: Annotated[float, Field(gt=0)]
    end_at: dt.datetime
    end_early_at: dt.datetime  # interval of 80 %
    end_late_at: dt.datetime | None  # None: the pace may as well be nothing


class Backlog(Record):
    """Every item is in one of three states; synthetic ones are left out."""

    open: Count
    finished: Count  # somebody reviewed it
    skipped: Count  # somebody looked, nobody labelled it
    published: Count  # of the open ones, those that people can see
    months: list[Month]  # the last thirteen at most, oldest first
    forecast: Forecast | None


class Cost(Record):
    """People's time an item that was finished: second reviews and skipped items are paid by the finished ones."""

    items: Count  # n: finished
    reviews: Count  # all of them
    timed: Count  # n: of them, those whose lead time is known; the others are taken to be as long
    seconds: Seconds
    money: Annotated[float, Field(ge=0)] | None  # None: the project does not tell what an hour costs


class Roi(Record):
    """The whole file."""

    format: Literal[1] = 1  # another one: another exporter
    project: str
    at: dt.datetime
    currency: str
    hourly_cost: Annotated[float, Field(gt=0)] | None
    longest_lead_s: Annotated[float, Field(gt=0)]
    documents: Count
    converted: Count
    quarantined: Count
    groups: dict[Group, LeadTimes]
    least_reviews: Count  # a comparison needs so many in each group …
    least_documents: Count  # … of so many documents
    comparison: Comparison | None
    shown: list[Shown]  # by model, in the order in which they came; the last ten at most
    held_out: HeldOut | None
    agreed: Agreed | None  # None: no item has two reviews
    deliveries: list[Delivery]  # in their order; the last ten at most
    delivered: Count  # all that there ever were
    waiting: Waiting | None
    backlog: Backlog
    cost: Cost | None  # None: nothing is finished, or no lead time is known
