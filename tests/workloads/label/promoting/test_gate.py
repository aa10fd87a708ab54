"""Simulated retrains → how often the gate is wrong, and how often it sees what is better; and every other reason."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.label import gate
from workloads.label.params import Gate, Params, Source
from workloads.label.records import Evaluation, ModelCard, Score, Verdict

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
CONFIDENCE = Gate().confidence
RETRAINS, SEEDS = 200, 12
FIRST_DOCUMENTS, NEW_EVERY = 8, 5  # the held-out set grows by one document in so many retrains


def results(chance: np.random.Generator, sizes: gate.Counts, hard: gate.Counts, f1: float) -> gate.Counts:
    """What a model of about this F1 makes of the documents: what is hard is so for all, the rest is its own."""
    known = 1 / (1 + np.exp(-(np.log(f1 / (1 - f1)) + hard + chance.normal(0, 0.4, len(sizes)))))
    right = chance.binomial(sizes.astype(int), known)
    return np.stack([right, right + chance.poisson(sizes * (1 - known)), sizes], axis=1).astype(float)


def archive(chance: np.random.Generator, documents: int) -> tuple[gate.Counts, gate.Counts]:
    """Entities a document, few long ones among many short ones, and how hard each document is."""
    return np.maximum(1, chance.lognormal(np.log(8), 0.9, documents)).round(), chance.normal(0, 1, documents)


def wrong_promotions(seed: int) -> int:
    """Of RETRAINS candidates that are never better than what serves, on a held-out set that grows and is used again."""
    chance = np.random.default_rng(seed)
    sizes, hard = archive(chance, FIRST_DOCUMENTS + RETRAINS // NEW_EVERY)
    serves, wrong = results(chance, sizes, hard, 0.8), 0
    for retrain in range(RETRAINS):
        worse = 0.0 if seed % 2 else chance.uniform(0, 0.03)
        candidate, n = results(chance, sizes, hard, 0.8 - worse), FIRST_DOCUMENTS + retrain // NEW_EVERY
        if gate.improvement(candidate[:n], serves[:n], CONFIDENCE)[1] > 0:
            serves, wrong = candidate, wrong + 1
    return wrong


def test_without_real_improvement_at_most_one_retrain_in_fifty_is_promoted() -> None:
    """200 retrains on one growing set, equal or a little worse: what a candidate's luck wins is bounded."""
    wrong = [wrong_promotions(seed) for seed in range(SEEDS)]
    print(f"\nwrong promotions in {RETRAINS} retrains: {wrong}, {sum(wrong) / RETRAINS / SEEDS:.2%} in all")

    assert sum(wrong) / (RETRAINS * SEEDS) <= 0.02


@pytest.mark.parametrize("documents", [6, 9, 25])
def test_a_single_gate_is_wrong_as_rarely_as_it_says(documents: int) -> None:
    """Also with few documents, where percentiles of a bootstrap are wrong twice as often."""
    chance, wrong = np.random.default_rng(documents), 0
    for _ in range(1000):
        sizes, hard = archive(chance, documents)
        one, other = (results(chance, sizes, hard, 0.8) for _ in range(2))
        wrong += gate.improvement(one, other, CONFIDENCE)[1] > 0

    assert wrong / 1000 <= 0.02 + 2.6 * np.sqrt(0.02 * 0.98 / 1000)  # 99.5 % of all series of an exact test


def test_what_is_really_better_is_promoted() -> None:
    """40 documents: F1 0.80 → 0.90 nearly always; the decision record has the table."""
    chance, promoted = np.random.default_rng(1), 0
    for _ in range(100):
        sizes, hard = archive(chance, 40)
        better, serves = (results(chance, sizes, hard, f1) for f1 in (0.9, 0.8))
        promoted += gate.improvement(better, serves, CONFIDENCE)[1] > 0

    assert promoted >= 80


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 4), min_size=1, max_size=30), st.floats(0.6, 0.99))
def test_no_model_is_better_than_itself_nor_both_better_than_each_other(
    rows: list[tuple[int, int, int, int]], confidence: float
) -> None:
    """Whatever the documents hold; the bound never exceeds the difference."""
    one = np.array([(min(a, t), a, t) for a, _, t, _ in rows], dtype=float)
    other = np.array([(min(b, t), b, t) for _, b, t, _ in rows], dtype=float)
    there, back = gate.improvement(one, other, confidence), gate.improvement(other, one, confidence)

    assert gate.improvement(one, one, confidence) == (0.0, 0.0)
    assert not (there[1] > 0 and back[1] > 0)
    assert there[1] <= max(there[0], 0) + 1e-12
    assert there[0] == pytest.approx(-back[0])


def params(**gates: object) -> Params:
    """A project of two labels."""
    return Params(
        name="contracts", labels=["PARTY", "DATE"], source=Source(folder=Path()), gate=Gate.model_validate(gates)
    )


def score(f1: float, entities: int = 50) -> Score:
    """The interval plays no part here."""
    return Score(precision=f1, recall=f1, f1=f1, low=f1, high=f1, entities=entities)


CARD = ModelCard(
    run="r1", project="contracts", labels=["PARTY", "DATE"], base="b", tokenizer_sha256="0" * 64, onnx_sha256="0" * 64,
    examples=1, synthetic=0, training_sha256="0" * 64, seed=1, epochs=1, temperature=1, max_tokens=64, parity=1e-6,
    versions={}, trained_at=NOW,
)  # fmt: skip
BETTER = Evaluation(
    run="r1", serving="contracts:1", test_set="v001", items=30, documents=20, difference=0.05, difference_low=0.01,
    candidate={"all": score(0.9), "PARTY": score(0.9), "DATE": score(0.8)}, incumbent={"all": score(0.85)},
    confidence=0.98, latency_ms=10, at=NOW,
)  # fmt: skip
FIRST = BETTER.model_copy(update={"serving": None, "incumbent": None, "difference": None, "difference_low": None})


def decided(
    evaluation: Evaluation = BETTER, card: ModelCard = CARD, serving: str | None = "", **gates: object
) -> Verdict:
    """What the gate says while the model serves that it was measured beside, or another one."""
    return gate.decide(params(**gates), card, evaluation, evaluation.serving if serving == "" else serving, NOW)


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (decided(), ""),
        (decided(FIRST), ""),
        (decided(FIRST.model_copy(update={"documents": 0, "candidate": {}})), ""),
        (
            decided(FIRST.model_copy(update={"documents": 0, "candidate": {}}), first_floor=0.5),
            "n = 0 documents; 5 are",
        ),
        (decided(FIRST, first_floor=0.95), "all: F1 is 0.900 (n = 50); the floor is 0.95"),
        (decided(BETTER.model_copy(update={"documents": 4})), "n = 4 documents; 5 are asked for"),
        (decided(floors={"DATE": 0.85}), "DATE: F1 is 0.800 (n = 50); the floor is 0.85"),
        (decided(BETTER.model_copy(update={"candidate": {"DATE": score(1, 0)}}), floors={"DATE": 0.5}), "set has none"),
        (decided(BETTER.model_copy(update={"difference_low": 0.0})), "F1 +0.050 to contracts:1, at 98% confidence"),
        (decided(BETTER.model_copy(update={"confidence": 0.9})), "nothing shows at 98% confidence"),
        (decided(BETTER.model_copy(update={"latency_ms": 200.1})), "takes 200.1 ms (p95); the budget is 200.0 ms"),
        (decided(card=CARD.model_copy(update={"parity": 0.1})), "ONNX differs from torch by 0.1"),
        (decided(card=CARD.model_copy(update={"labels": ["DATE", "PARTY"]})), "its labels are DATE, PARTY"),
        (decided(card=CARD.model_copy(update={"project": "invoices"})), "it is a model of invoices"),
        (decided(card=CARD.model_copy(update={"run": "r2"})), "its evaluation is of r1"),
        (decided(serving="contracts:2"), "measured beside contracts:1, and contracts:2 serves"),
        (decided(serving=None), "measured beside contracts:1, and nothing serves"),
    ],
)
def test_a_candidate_is_kept_out_for_one_named_reason(verdict: Verdict, reason: str) -> None:
    """Each by itself; a candidate with none of them passes."""
    assert (verdict.passed, len(verdict.reasons)) == (not reason, 1 if reason else 0)
    assert reason in "".join(verdict.reasons)
