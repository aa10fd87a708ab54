"""A candidate's evaluation beside the model that serves → whether it may serve, and every reason why not. Pure.

Retraining goes on for months, and most of it changes nothing: a gate that is wrong once in fifty such tries must be so
with few documents, too. Hence an exact test. If two models are equally good, nobody can tell which of both made which
result of a document, so exchanging the two on any of the documents is as likely as what was seen. Among all exchanges,
the candidate's lead must be one of the greatest. No normal curve, no least number of documents: with five there are 32
exchanges, and no lead among them is rarer than 1 in 32. A document is exchanged whole, as its entities resemble one
another. docs/decisions/0029-promotion.md says what it finds, and how surely.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from workloads.label.learning.scoring import f1
from workloads.label.params import ALL
from workloads.label.records import Verdict

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from workloads.label.params import Params
    from workloads.label.records import Evaluation, ModelCard, Score

    Counts = NDArray[np.float64]  # documents x (right, told, true) entities

EXACT = 12  # documents up to which all exchanges are looked at: 4,096
DRAWS = 5_000  # of them, with more documents; what was seen is the first
AT_ONCE = 1_000
SEED = 20_260


def improvement(candidate: Counts, incumbent: Counts, confidence: float) -> tuple[float, float]:
    """F1 of one model less that of another over the same documents, and what it is at least at a one-sided confidence.

    The second is above 0 exactly when at most 1 - confidence of all exchanges lead by as much as what was seen.
    """
    if len(candidate) == 0:
        return 0.0, -1.0
    leads = exchanged(candidate, incumbent)
    beyond = int((1 - confidence) * len(leads) + 1e-9)  # so many may be as great or greater
    chance = float(np.partition(leads, len(leads) - 1 - beyond)[len(leads) - 1 - beyond])
    return float(leads[0]), max(float(leads[0]) - chance, -1.0)


def exchanged(candidate: Counts, incumbent: Counts) -> Counts:
    """The candidate's lead after each exchange of documents; the first one is what was seen."""
    totals, moved = np.stack([candidate.sum(axis=0), incumbent.sum(axis=0)]), incumbent - candidate
    return np.concatenate([_lead(totals, part @ moved) for part in _exchanges(len(candidate))])


def shared(confidence: float, looks: int) -> float:
    """What each of so many candidates must show, so that all together are wrong no oftener than one (Bonferroni)."""
    return 1 - (1 - confidence) / max(1, looks)


def decide(params: Params, card: ModelCard, evaluation: Evaluation, serving: str | None, now: dt.datetime) -> Verdict:
    """Everything that keeps a candidate from serving; `serving` is what serves at this moment."""
    reasons = [*_fits(params, card, evaluation), *_quality(params, evaluation)]
    if evaluation.serving != serving:
        beside = f"it was measured beside {evaluation.serving or 'nothing'}"
        reasons.append(f"{beside}, and {serving or 'nothing'} serves: evaluate it anew")
    elif serving is not None:
        reasons += _better(params, evaluation)
    return Verdict(run=card.run, passed=not reasons, reasons=reasons, at=now)


def _fits(params: Params, card: ModelCard, evaluation: Evaluation) -> list[str]:
    """What does not depend on how good it is."""
    gate, reasons = params.gate, []
    if card.project != params.name:
        reasons.append(f"it is a model of {card.project}")
    if card.labels != params.labels:
        reasons.append(f"its labels are {', '.join(card.labels)}; the project's are {', '.join(params.labels)}")
    if evaluation.run != card.run:
        reasons.append(f"its evaluation is of {evaluation.run}")
    if card.parity > gate.parity:
        reasons.append(f"ONNX differs from torch by {card.parity:.2g} in a logit; at most {gate.parity:.2g} is allowed")
    if evaluation.latency_ms > gate.latency_ms:
        reasons.append(f"an item takes {evaluation.latency_ms:.1f} ms (p95); the budget is {gate.latency_ms:.1f} ms")
    return reasons


def _quality(params: Params, evaluation: Evaluation) -> list[str]:
    """How good it is by itself.

    Without any model there may be no held-out set yet, and a first one cannot do worse than none: it needs no documents
    unless the project sets a floor for it.
    """
    gate, first, n = params.gate, evaluation.serving is None, evaluation.documents
    if n < gate.least_documents:
        if first and not gate.first_floor:
            return []
        return [f"the held-out set has n = {n} documents; {gate.least_documents} are asked for"]
    floors = {ALL: gate.first_floor} if first and gate.first_floor else {}
    floors |= gate.floors
    return [told for label, floor in floors.items() if (told := _below(label, evaluation.candidate.get(label), floor))]


def _below(label: str, score: Score | None, floor: float) -> str:
    if score is None or score.entities == 0:
        return f"{label}: the held-out set has none, so nothing shows that F1 is {floor:.2f}"
    if score.f1 < floor:
        return f"{label}: F1 is {score.f1:.3f} (n = {score.entities}); the floor is {floor:.2f}"
    return ""


def _better(params: Params, evaluation: Evaluation) -> list[str]:
    """Whether it is better than what serves."""
    wanted = params.gate.confidence
    if evaluation.difference is None or evaluation.difference_low is None or evaluation.confidence < wanted:
        return [f"nothing shows at {wanted:.0%} confidence that it is better than {evaluation.serving}"]
    if evaluation.difference_low > 0:
        return []
    least = f"at {evaluation.confidence * 100:.4g}% confidence at least {evaluation.difference_low:+.3f}"
    n = f"n = {evaluation.documents} documents"
    return [f"F1 {evaluation.difference:+.3f} to {evaluation.serving}, {least} ({n}): that is not above 0"]


def _lead(totals: Counts, moved: Counts) -> Counts:
    """F1 of the candidate less that of the incumbent after exchanges that move so much from one to the other."""
    return np.asarray(f1(totals[0] + moved) - f1(totals[1] - moved))


@lru_cache(maxsize=2)
def _exchanges(documents: int) -> list[Counts]:
    """Which documents are exchanged, 1 or 0 each; the first row exchanges none. The same ones at every call."""
    if documents <= EXACT:
        return [((np.arange(2**documents)[:, None] >> np.arange(documents)) & 1).astype(float)]
    chance = np.random.default_rng(SEED)
    parts = [chance.integers(0, 2, (AT_ONCE, documents)).astype(float) for _ in range(DRAWS // AT_ONCE)]
    parts[0][0] = 0
    return parts
