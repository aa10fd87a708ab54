"""What is remembered of comparisons: how often a set was looked at, what was best, and what may be removed."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.comparing.test_plan import RECIPE
from workloads.label.comparing import expiry, result
from workloads.label.comparing.page import made
from workloads.label.comparing.plan import Setting
from workloads.label.comparing.result import Comparison, Measured
from workloads.label.comparing.shown import table
from workloads.label.params import Mix, Params, Source
from workloads.label.records import Score
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)
HOSTILE = "<script>base</script>"


def measured(number: int, f1: float = 0.9, chance: float = 0.3) -> Measured:
    """An entry."""
    score = Score(precision=f1, recall=f1, f1=f1, low=f1 - 0.1, high=min(f1 + 0.1, 1), entities=50)
    return Measured(
        digest=f"{number:064x}", name=f"{HOSTILE}, seed {number}", setting=Setting(base="", seed=number, mix=Mix()),
        parameters=66_000_000, examples=100, synthetic=0, scores={"A": score, "all": score}, behind=0.9 - f1,
        behind_low=-0.1, behind_high=0.2, chance=chance,
    )  # fmt: skip


def comparison(candidate: str, *numbers: int, test_set: str = "v001", at: dt.datetime = NOW) -> Comparison:
    """One of these entries."""
    return Comparison(
        key=candidate, project="p", test_set=test_set, items=20, documents=10,
        entries=[measured(number, 0.9 - 0.01 * place) for place, number in enumerate(numbers)],
        candidate=candidate, instead_of=RECIPE, at=at,
    )  # fmt: skip


def test_every_look_at_a_test_set_counts_once() -> None:
    """Of all comparisons on it, later ones too; a model measured twice is one look, and another set has its own."""
    told = [comparison("a", 1, 2), comparison("b", 2, 3, 4), comparison("c", 5, 6, test_set="v002")]
    assert [result.looks(told, name) for name in ("a", "b", "c", "nobody")] == [4, 4, 2, 1]


def test_what_was_best_holds_until_the_project_says_another_thing() -> None:
    """The last comparison's first entry, while the project's own recipe is what it was then."""
    told = [comparison("a", 1, 2), comparison("b", 3, 2)]
    best = result.chosen(told, RECIPE)
    assert best is not None
    assert best.seed == 3
    assert result.chosen(told, RECIPE.model_copy(update={"epochs": 2})) is None
    assert result.chosen([], RECIPE) is None


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    """Three models that were trained thirty days ago, of which one was compared yesterday."""
    work = Workspace(tmp_path)
    for number in (1, 2, 3):
        file = work.path(result.FOLDER, result.MODELS, f"{number:064x}", "model", "model.safetensors")
        file.parent.mkdir(parents=True)
        file.write_bytes(b"weights")
        long_ago = (NOW - dt.timedelta(days=30)).timestamp()
        os.utime(file.parents[1], (long_ago, long_ago))
    for told in (comparison("a", 1, 2, at=NOW - dt.timedelta(days=30)),
                 comparison("b", 2, 4, at=NOW - dt.timedelta(days=1))):  # fmt: skip
        work.put(f"{result.FOLDER}/{told.key}/{result.FILE}", told.model_dump_json().encode())
    return work


def test_what_nobody_compared_for_days_is_removed(work: Workspace) -> None:
    """Weights alone: what was found stays, and still counts; what was compared yesterday stays, too."""
    assert expiry.expire(work, 14, NOW) == 2
    assert [each.name for each in work.path(result.FOLDER, result.MODELS).iterdir()] == [f"{2:064x}"]
    assert result.looks(result.comparisons(work), "a") == 3
    assert expiry.expire(work, 14, NOW) == 0


def test_the_page_shows_every_candidate_and_runs_nothing(work: Workspace) -> None:
    """Names are text, the confidence is the shared one; the table for people has as many rows."""
    params = Params(name="p", labels=["A"], source=Source(dataset="d"))
    told = result.comparisons(work)
    page = made(params, told, NOW)

    assert "<script" not in page
    assert page.count("&lt;script&gt;base&lt;/script&gt;, seed 4") >= 1
    assert "99.33 %" in page  # 1 - 0.02 / 3
    assert "3 models were measured on this set" in page
    assert table(told[-1]).row_count == 2
