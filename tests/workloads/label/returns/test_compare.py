"""With and without help: when it is compared at all, and that its intervals are worth their name."""

from __future__ import annotations

import datetime as dt
import random
from itertools import count

import pytest

from tests.workloads.label.returns.archive import NOW, item, review, span
from workloads.label.records import Arm
from workloads.label.returns.compare import LEAST_DOCUMENTS, LEAST_REVIEWS, comparison
from workloads.label.returns.groups import Seen, seen

MINUTE = dt.timedelta(minutes=1)


def project(blank: list[list[float]], assisted: list[list[float]]) -> list[Seen]:
    """Lead times by document, without help and with it; helped ones come first, so that none is `before`."""
    numbers, items, reviews = count(), {}, []
    for arm, documents in ((Arm.ASSISTED, assisted), (Arm.TEST, blank)):
        for leads in documents:
            document = next(numbers)
            for lead_s in leads:
                one = item(next(numbers), arm, document)
                items[one.id] = one
                suggested = [span(0)] if arm is Arm.ASSISTED else None
                reviews.append(review(one, NOW + MINUTE * len(reviews), lead_s, shown=suggested))
    return seen(reviews, items, 900.0)


@pytest.mark.parametrize(
    ("documents", "each", "compared"),
    [
        (LEAST_REVIEWS, 1, True),
        (LEAST_REVIEWS - 1, 1, False),
        (LEAST_DOCUMENTS, LEAST_REVIEWS, True),
        (LEAST_DOCUMENTS - 1, LEAST_REVIEWS, False),
    ],
)
def test_too_few_are_not_compared(documents: int, each: int, *, compared: bool) -> None:
    """Both groups need so many timed reviews, and of so many documents; whichever of them has fewer."""
    few, many = [[60.0] * each] * documents, [[30.0] * 10] * 20
    assert (comparison(project(few, many)) is not None) == compared
    assert (comparison(project(many, few)) is not None) == compared


def test_half_the_time_is_twice_as_fast() -> None:
    """Where every review takes the same, the interval has no width, and the seconds saved are exact."""
    found = comparison(project([[60.0] * 4] * 10, [[30.0] * 4] * 25))
    assert found
    assert (found.blank, found.assisted, found.blank_documents, found.assisted_documents) == (40, 100, 10, 25)
    assert (found.speedup_low, found.speedup, found.speedup_high) == (2.0, 2.0, 2.0)
    assert (found.saved_low_s, found.saved_s, found.saved_high_s) == (3000.0, 3000.0, 3000.0)


def test_a_model_that_slows_people_down_is_told_as_such() -> None:
    """The speed-up is under 1, and what was saved is less than nothing."""
    found = comparison(project([[30.0] * 4] * 10, [[40.0] * 4] * 10))
    assert found
    assert found.speedup == 0.75
    assert found.saved_s == -400.0


def test_where_nothing_changed_the_interval_says_so() -> None:
    """Of 40 projects whose model brings nothing, at most four are told of a change; slices of a document are alike."""
    told = 0
    for seed in range(40):
        chance = random.Random(seed)  # noqa: S311  40 projects, always the same

        def documents(n: int, chance: random.Random = chance) -> list[list[float]]:
            hard = [chance.lognormvariate(4, 0.5) for _ in range(n)]
            return [[base * chance.lognormvariate(0, 0.3) for _ in range(5)] for base in hard]

        found = comparison(project(documents(25), documents(60)))
        assert found
        assert found.speedup_low <= found.speedup <= found.speedup_high
        told += not found.speedup_low <= 1 <= found.speedup_high
    assert told <= 4


def test_the_same_reviews_give_the_same_figures() -> None:
    """The draws of the bootstrap do not depend on the day."""
    chance = random.Random(1)  # noqa: S311  one project
    documents = [[chance.lognormvariate(4, 1) for _ in range(3)] for _ in range(20)]
    assert comparison(project(documents, documents)) == comparison(project(documents, documents))
