"""Figures are those that one would count by hand, and intervals hold the truth as often as they say."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.label.learning import scoring
from workloads.label.learning.scoring import Question
from workloads.label.records import Span

LABELS = ["A", "B"]
TEXT = "abcdefghijklmnopqrst"
spans = st.lists(
    st.builds(
        lambda start, length, label: Span(start=start, end=start + length, label=label),
        st.integers(0, 10), st.integers(1, 5), st.sampled_from(LABELS),
    ), max_size=4,
)  # fmt: skip


def test_an_entity_counts_only_when_all_of_it_is_right() -> None:
    """Start, end and label; blanks that a hand took along do not matter."""
    text = "Ada Lovelace , London"
    truth = [Span(start=0, end=13, label="A"), Span(start=15, end=21, label="B")]
    told = [Span(start=0, end=12, label="A"), Span(start=15, end=21, label="A"), Span(start=15, end=20, label="B")]

    score = scoring.scores(scoring.counts([Question("d", text, truth)], [told], LABELS), LABELS)

    assert {name: (each.precision, each.recall, each.f1, each.entities) for name, each in score.items()} == {
        "A": (0.5, 1.0, pytest.approx(2 / 3), 1),
        "B": (0.0, 0.0, 0.0, 1),
        "all": (pytest.approx(1 / 3), 0.5, 0.4, 2),
    }


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("xyz"), spans, spans), min_size=1, max_size=6))
def test_scores_are_shares_and_their_intervals_hold_them(given: list[tuple[str, list[Span], list[Span]]]) -> None:
    """Whatever people and models say; a perfect model scores 1 wherever there is anything to find."""
    questions = [Question(document, TEXT, truth) for document, truth, _ in given]

    scores = scoring.scores(scoring.counts(questions, [told for _, _, told in given], LABELS), LABELS)
    perfect = scoring.scores(scoring.counts(questions, [each.truth for each in questions], LABELS), LABELS)

    assert all(each.low <= each.f1 + 1e-9 and each.f1 <= each.high + 1e-9 for each in scores.values())
    assert all(each.f1 == (each.entities > 0) for each in perfect.values())
    assert scores["all"].entities == scores["A"].entities + scores["B"].entities


def test_one_document_tells_nothing() -> None:
    """Its entities may all be alike."""
    question = Question("d", TEXT, [Span(start=0, end=1, label="A")])

    score = scoring.scores(scoring.counts([question], [question.truth], LABELS), LABELS)["A"]

    assert (score.f1, score.low, score.high) == (1, 0, 1)


@pytest.mark.parametrize("documents", [6, 20])
def test_an_interval_holds_the_truth_as_often_as_it_says(documents: int) -> None:
    """Of 200 held-out sets whose documents differ much, at least 92 % have the true F1 in their interval of 95 %."""
    chance = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        skill = chance.beta(6, 2, documents)  # of each document
        true = chance.poisson(10, documents) + 1
        right = chance.binomial(true, skill)
        found = np.stack([right, true, true], axis=1)[:, None, :].astype(float)  # as many told as there are: F1 = skill
        low, high = scoring.interval(found)
        hits += bool(low[0] <= 0.75 <= high[0])

    assert hits / 200 >= 0.92


@pytest.mark.parametrize(("tail", "documents", "t"), [(0.025, 5, 2.776), (0.02, 6, 2.757), (0.025, 31, 2.042)])
def test_the_level_is_that_of_students_t(tail: float, documents: int, t: float) -> None:
    """Quantiles of t as tables have them, widened by the root of n / (n - 1)."""
    wanted = NormalDist().cdf(-t * (documents / (documents - 1)) ** 0.5)

    assert scoring.level(tail, documents) == pytest.approx(wanted, rel=0.05)
