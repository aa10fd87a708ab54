"""Items, reviews and dates → how many are left, month by month, and when there will be none.

An item is added when its document came, and handled when anybody first looked at it to the end, be it to skip it.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from workloads.label.returns.file import Backlog, Forecast, Month
from workloads.label.returns.groups import by_group

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from workloads.label.records import Item
    from workloads.label.returns.groups import Seen

MOST_MONTHS = 13  # this one and the same of last year
DAY = dt.timedelta(days=1)
WINDOW_DAYS = 28  # four of every day of the week
LEAST_DAYS = 7  # one of every day of the week
LEAST_HANDLED = 20
FARTHEST_DAYS = 3650  # beyond it a date is no forecast
RESAMPLES = 1000
INTERVAL = (0.1, 0.9)
SEED = 7


def backlog(
    items: Iterable[Item],
    reviews: Sequence[Seen],
    came: Mapping[str, dt.datetime],
    published: Collection[str],
    now: dt.datetime,
) -> Backlog:
    """`came`: document → when; `published`: ids of items that people can see."""
    real = [item for item in items if not item.synthetic]
    handled: dict[str, dt.datetime] = {}
    for one in reviews:  # by time: the first counts
        handled.setdefault(one.item.id, one.review.at)
    finished = {one.item.id for one in reviews if not one.review.skipped}
    left = [item.id for item in real if item.id not in handled]
    added = [came.get(item.document, now) for item in real]
    return Backlog(
        open=len(left),
        finished=len(finished),
        skipped=len(handled) - len(finished),
        published=sum(item in published for item in left),
        months=months(added, list(handled.values()), reviews, now),
        forecast=forecast(len(left), list(handled.values()), now),
    )


def months(
    added: Sequence[dt.datetime], handled: Sequence[dt.datetime], reviews: Sequence[Seen], now: dt.datetime
) -> list[Month]:
    """From the first in which anything happened to this one, none left out in between; the last thirteen."""
    came, done = Counter(map(_name, added)), Counter(map(_name, handled))
    reviewed: dict[str, list[Seen]] = {}
    for one in reviews:
        reviewed.setdefault(_name(one.review.at), []).append(one)
    found, left = [], 0
    for name in _between(min([*came, *done, _name(now)]), _name(now)):
        left += came[name] - done[name]
        groups = by_group(reviewed.get(name, []))
        # Two clocks: a review may seem to come before its document.
        found.append(Month(month=name, added=came[name], handled=done[name], open=max(0, left), groups=groups))
    return found[-MOST_MONTHS:]


def forecast(left: int, handled: Sequence[dt.datetime], now: dt.datetime) -> Forecast | None:
    """At the pace of the last four weeks; None where nothing is left, or too little is known of the pace."""
    past = [when for when in handled if when <= now]
    days = min(WINDOW_DAYS, (now - min(past)) // DAY) if past else 0
    a_day = np.bincount([age for when in past if (age := (now - when) // DAY) < days], minlength=days)
    count = int(a_day.sum())
    if left == 0 or days < LEAST_DAYS or count < LEAST_HANDLED or left * days / count > FARTHEST_DAYS:
        return None
    rng = np.random.default_rng(SEED)
    slow, fast = np.quantile(rng.choice(a_day, (RESAMPLES, days)).mean(axis=1), INTERVAL)
    late = left / slow if slow > 0 else float("inf")
    return Forecast(
        days=days,
        handled=count,
        per_day=count / days,
        end_at=now + DAY * (left * days / count),
        end_early_at=now + DAY * (left / float(fast)),
        end_late_at=now + DAY * float(late) if late <= FARTHEST_DAYS else None,
    )


def _name(when: dt.datetime) -> str:
    return f"{when.astimezone(dt.UTC):%Y-%m}"


def _between(first: str, last: str) -> Iterator[str]:
    """Every month from the first to the last, both included."""
    year, month = map(int, first.split("-"))
    while (name := f"{year:04}-{month:02}") <= last:
        yield name
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
