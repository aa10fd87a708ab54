"""Which candidate is best, and how surely: claims are wrong no oftener than said, and a real lead is found."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workloads.label import gate
from workloads.label.comparing import difference
from workloads.label.comparing.result import SURE

CHANCES = st.dictionaries(st.tuples(st.integers(0, 9), st.integers(0, 9)), st.floats(0, 1), min_size=1)


def said(chance: np.random.Generator, documents: int, lifts: list[float]) -> list[np.ndarray]:
    """What models said of documents of different size and difficulty; `lifts`: how much oftener each is right."""
    size, easy = np.maximum(1, chance.lognormal(2, 0.8, documents)).astype(int), chance.beta(6, 2, documents)
    found = []
    for lift in lifts:
        right = chance.binomial(size, np.clip(easy + chance.normal(0, 0.08, documents) + lift, 0, 1))
        told = right + chance.binomial(size, 0.1)
        found.append(np.stack([right, told, size], -1)[:, None, :].astype(float))
    return found


def test_equal_candidates_are_seldom_told_apart() -> None:
    """Of 60 comparisons of six equal models on ten documents, no more claim anything than 5 % make likely."""
    chance, wrong = np.random.default_rng(1), 0
    for _ in range(60):
        told = said(chance, 10, [0.0] * 6)
        wrong += any(each.chance <= SURE for each in difference.leads(told, difference.best(told)))
    assert wrong <= 7  # more are rarer than 1 in 100 at 5 %


def test_a_better_candidate_is_found() -> None:
    """On forty documents, one that is right far oftener leads each other surely, and intervals hold the lead."""
    told = said(np.random.default_rng(2), 40, [0.0, 0.0, 0.3])
    leads = difference.leads(told, difference.best(told))

    assert difference.best(told) == 2
    assert [each.chance <= SURE for each in leads] == [True, True, False]
    assert all(each.low <= each.f1 <= each.high for each in leads)
    assert (leads[2].f1, leads[2].low, leads[2].high, leads[2].chance) == (0, 0, 0, 1)


def test_one_document_tells_nothing() -> None:
    """However different two models are on it."""
    told = [np.array([[[9.0, 9.0, 9.0]]]), np.array([[[1.0, 9.0, 9.0]]])]
    lead = difference.leads(told, 0)[1]
    assert (lead.low, lead.high, lead.chance > SURE) == (-1, 1, True)


def test_of_equals_the_first_is_the_best() -> None:
    """The order of project.toml decides."""
    one = np.array([[[3.0, 4.0, 5.0]]])
    assert difference.best([one, one]) == 0


@given(CHANCES)
def test_holm_keeps_order_and_only_raises(chances: dict[tuple[int, int], float]) -> None:
    """No claim becomes likelier to be right by company, none overtakes another, and the last one stays as it was."""
    found = difference.holm(chances)
    order = sorted(chances, key=lambda pair: chances[pair])
    assert all(chances[pair] <= found[pair] <= 1 for pair in chances)
    assert [found[pair] for pair in order] == sorted(found.values())
    assert found[order[0]] == min(1.0, chances[order[0]] * len(chances))


def test_the_best_of_many_that_are_no_better_seldom_passes_the_gate() -> None:
    """Of 300 times six models equal to the one that serves, the best passes no oftener than one model would.

    At a confidence that is not shared, several times as many do.
    """
    chance, passed = np.random.default_rng(3), {True: 0, False: 0}
    for _ in range(300):
        serving, *others = (each.sum(axis=1) for each in said(chance, 10, [0.0] * 7))
        best = others[difference.best([each[:, None, :] for each in others])]
        for is_shared in passed:
            confidence = gate.shared(0.98, 6) if is_shared else 0.98
            passed[is_shared] += gate.improvement(best, serving, confidence)[1] > 0
    assert passed[True] <= 12  # 2 % are 6; more than 12 are rarer than 1 in 100
    assert passed[False] > 12
