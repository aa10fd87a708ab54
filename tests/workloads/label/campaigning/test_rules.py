"""What a campaign costs, when it is over, and what a project may ask of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.campaigning.test_choice import params
from tests.workloads.label.returns.archive import NOW, item, review
from workloads.errors import ConfigError
from workloads.label import params as projects
from workloads.label.campaigning import spending, stopping
from workloads.label.campaigning.rounds import Point
from workloads.label.records import Score

if TYPE_CHECKING:
    from pathlib import Path

CAMPAIGN = params(patience=3, least_gain=0.01, budget_minutes=10).campaign
assert CAMPAIGN


def points(*held: float, documents: int = 9, drawn: float | None = None) -> list[Point]:
    """A curve."""
    made = []
    for at, value in enumerate(held):
        score = Score(precision=value, recall=value, f1=value, low=0, high=1, entities=9)
        other = None if drawn is None else score.model_copy(update={"f1": drawn})
        made.append(Point(round=at, run=str(at), learned=at, minutes=0, test_set="v001", held_out=score,
                          held_out_documents=documents, drawn=other, drawn_documents=9 if other else 0))  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("curve", "over"),
    [
        ((), False),
        ((0.5, 0.5, 0.5), False),  # three rounds are the patience
        ((0.5, 0.5, 0.5, 0.5), True),
        ((0.5, 0.5, 0.5, 0.52), False),
        ((0.5, 0.8, 0.79, 0.79, 0.805), True),  # better, by less than is wanted
        ((0.5, 0.8, 0.7, 0.7, 0.82), False),
        ((0.5, 0.8, 0.7, 0.7, 0.7), True),  # worse is no gain
    ],
)
def test_it_is_over_when_no_round_of_the_last_ones_brought_enough(curve: tuple[float, ...], over: bool) -> None:
    """The best of the last three against the best before them."""
    told = stopping.over(points(*curve), CAMPAIGN, 5, room=9, left=9)
    assert bool(told) is over
    assert not over or "nothing is gained" in told


def test_too_few_held_out_documents_stop_nothing() -> None:
    """Then the drawn ones tell; where these are too few as well, nothing is known, and it goes on."""
    assert not stopping.over(points(*[0.5] * 9, documents=4), CAMPAIGN, 5, room=9, left=9)
    told = stopping.over(points(*[0.5] * 9, documents=4, drawn=0.4), CAMPAIGN, 5, room=9, left=9)
    assert "drawn documents" in told


def test_it_is_over_when_the_budget_or_the_archive_is() -> None:
    """Whatever the curve says."""
    assert "budget of 10 minutes" in stopping.over(points(0.5), CAMPAIGN, 5, room=0, left=9)
    assert "left to see" in stopping.over(points(0.5), CAMPAIGN, 5, room=9, left=0)


def test_minutes_are_of_picked_items_and_lunches_are_capped() -> None:
    """An hour away counts as the cap, a time that nobody told as the mean; other items cost the campaign nothing."""
    items = {each.id: each for each in map(item, range(5))}
    names = list(items)
    reviews = [
        review(items[names[at]], NOW + dt.timedelta(minutes=at), lead)
        for at, lead in enumerate((30.0, 4000.0, None, 60.0))
    ]
    told = spending.spent(items, reviews, {names[0]: 1, names[1]: 1, names[2]: 2, names[4]: 2}, cap_s=90)
    assert told.minutes == {1: 2.0, 2: 1.0}
    assert (told.timed, told.item_s, told.reviewed) == (2, 60.0, frozenset(names[:3]))
    assert spending.room(told, CAMPAIGN, waiting=3) == 4  # ten minutes less three, at a minute an item


def test_nobody_knows_what_a_first_round_costs() -> None:
    """So it is a whole one."""
    assert spending.room(spending.spent({}, [], {}, 900), CAMPAIGN, 0) == CAMPAIGN.batch


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("[campaign]\nbatch = 20\n[publish]\ntest_share = 0.4", "a round would train no model"),
        ("[campaign]\nrandom_share = 0.5\n[publish]\ntest_share = 0.6", "together below 1"),
        ("[campaign]\nrandom_share = 0.05", "campaign.random_share"),
        ('[campaign.synthetic]\ntemplates = "t"\nvalues = { DAY = ["x"] }', "not among labels: DAY"),
    ],
)
def test_a_campaign_that_cannot_work_is_refused(tmp_path: Path, lines: str, said: str) -> None:
    """Before anybody is asked anything."""
    (tmp_path / projects.FILE).write_text(f'name = "p"\nlabels = ["A"]\n[source]\nfolder = "d"\n{lines}\n')
    with pytest.raises(ConfigError, match=said):
        projects.load(tmp_path)
