"""Scores become honest: a model that is too sure is cooled down, and the error that is left is told."""

from __future__ import annotations

import numpy as np
import pytest

from workloads.label.learning import bio, calibration, decode
from workloads.label.learning.bio import Word
from workloads.label.learning.decode import Read
from workloads.label.records import Span

LABELS = ["A"]
OVERCONFIDENT = 3.0


def archive(texts: int, seed: int, times: float) -> tuple[list[Read], list[list[Span]]]:
    """Texts of ten words, what is in them, and a model with right odds, but for its logits being `times` too big."""
    chance = np.random.default_rng(seed)
    read, truth = [], []
    for _ in range(texts):
        odds = chance.dirichlet([1.0, 0.7, 0.3], size=10)
        tags = [int(chance.choice(3, p=row)) for row in odds]
        words = [Word(3 * at, 3 * at + 2, at) for at in range(10)]
        truth.append([
            Span(start=words[run.first].start, end=words[run.last].end, label="A") for run in bio.runs(tags)
        ])  # fmt: skip
        read.append(Read(words, (np.log(odds) * times).astype(np.float32)))
    return read, truth


def left_over(read: list[Read], truth: list[list[Span]], temperature: float) -> float:
    """The calibration error at a temperature."""
    told = [span for each in read for span in decode.spans(each.words, each.logits, LABELS, temperature)]
    right = [hit for each, spans in zip(read, truth, strict=True) for hit in calibration.hits(each, spans, LABELS)]
    error = calibration.error([span.score or 0.0 for span in told], [bool(hit) for hit in right])
    assert error is not None
    return error


def test_a_model_that_is_too_sure_is_cooled_down() -> None:
    """Fitted on some documents, the scores are honest on others: eight in ten of those with 0.8 are right."""
    temperature = calibration.temperature(*archive(200, 1, OVERCONFIDENT), LABELS)
    others = archive(500, 2, OVERCONFIDENT)

    assert temperature == pytest.approx(OVERCONFIDENT, rel=0.15)
    assert left_over(*others, 1.0) > 0.2
    assert left_over(*others, temperature) < 0.05


def test_an_honest_model_is_left_alone() -> None:
    """Its temperature is one."""
    assert calibration.temperature(*archive(200, 3, 1.0), LABELS) == pytest.approx(1.0, rel=0.15)


def test_a_few_right_answers_make_nobody_certain() -> None:
    """Ten of ten right score eleven in twelve, as Platt would have it; fewer than five tell nothing."""
    words, logits = [Word(0, 2, 0)], np.array([[0.0, 3.0, -9.0]], np.float32)
    read, truth = [Read(words, logits)] * 10, [[Span(start=0, end=2, label="A")]] * 10

    temperature = calibration.temperature(read, truth, LABELS)
    score = decode.spans(words, logits, LABELS, temperature)[0].score

    assert score == pytest.approx(11 / 12, abs=0.02)
    assert calibration.temperature(read[:4], truth[:4], LABELS) == 1.0
    assert calibration.temperature([], [], LABELS) == 1.0


def test_the_error_is_the_gap_between_scores_and_shares() -> None:
    """Counted by hand; without entities there is none."""
    assert calibration.error([0.95, 0.95, 0.15, 0.15], [True, False, False, False]) == pytest.approx((0.9 + 0.3) / 4)
    assert calibration.error([1.0, 1.0], [True, True]) == 0
    assert calibration.error([], []) is None
