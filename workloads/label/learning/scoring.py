"""Truth and predictions → precision, recall and F1 of whole entities, with bootstrap intervals. Pure.

An entity counts when start, end and label are all right. The bootstrap draws documents, not entities: those of one
document resemble one another. Whether one model is better than another is workloads.label.gate's question.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from workloads.label.params import ALL
from workloads.label.records import Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from workloads.label.records import Span
    from workloads.label.testset import HeldOut

    Counts = NDArray[np.float64]  # documents x labels x (right, told, true)

DRAWS = 5_000
AT_ONCE = 500  # draws; bounds the memory that thousands of documents take
SEED = 20_260
CONFIDENCE = 0.95  # of a score's two-sided interval


@dataclass(frozen=True)
class Question:
    """A text, and what people found in it."""

    document: str
    text: str
    truth: Sequence[Span]


def asked(held: HeldOut) -> list[Question]:
    """A test set's questions."""
    truth = {review.item: review.spans for review in held.reviews}
    return [Question(item.document, item.text, truth[item.id]) for item in held.items]


def counts(questions: Sequence[Question], told: Sequence[Sequence[Span]], labels: Sequence[str]) -> Counts:
    """Right, told and true entities of each label in each document, the documents in the order of their names."""
    row = {name: at for at, name in enumerate(sorted({each.document for each in questions}))}
    column = {label: at for at, label in enumerate(labels)}
    found = np.zeros((len(row), len(labels), 3))
    for each, spans in zip(questions, told, strict=True):
        true, said = _entities(each.text, each.truth), _entities(each.text, spans)
        for at, entities in enumerate((true & said, said, true)):
            for _, _, label in entities:
                if label in column:
                    found[row[each.document], column[label], at] += 1
    return found


def _entities(text: str, spans: Iterable[Span]) -> set[tuple[int, int, str]]:
    """What is compared: a blank that a hand took with it at either end does not make an entity wrong."""
    found = set()
    for span in spans:
        covered = text[span.start : span.end]
        start = span.start + len(covered) - len(covered.lstrip())
        found.add((start, start + len(covered.strip()), span.label))
    return found


def scores(found: Counts, labels: Sequence[str]) -> dict[str, Score]:
    """By label, and over all entities; each with its interval at CONFIDENCE."""
    found = _with_all(found)
    low, high = interval(found)
    return {name: _score(found[:, at].sum(axis=0), low[at], high[at]) for at, name in enumerate([*labels, ALL])}


def interval(found: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper ends of each label's F1. One document tells nothing: anything from 0 to 1."""
    labels = found.shape[1]
    if len(found) < 2:
        return np.zeros(labels), np.ones(labels)
    side = level((1 - CONFIDENCE) / 2, len(found))
    drawn = np.concatenate([f1(draw) for draw in draws(found)])
    low, high = np.quantile(drawn, [side, 1 - side], axis=0)
    return low, high


def f1(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of right, told and true entities (the last axis); 0 where there is nothing at all."""
    return np.asarray(2 * found[..., 0] / np.maximum(found[..., 1] + found[..., 2], 1))


def level(tail: float, documents: int) -> float:
    """The share of draws beyond which a tail of this share lies, with two documents or more.

    Percentiles are too narrow where documents are few. Student's t in the normal's place, widened by √(n / (n - 1)),
    mends that: the expanded percentile interval of Hesterberg, What Teachers Should Know About the Bootstrap (2015),
    section 4.3. t by its expansion in 1/n, Abramowitz and Stegun 26.7.5.
    """
    n = documents - 1
    z = NormalDist().inv_cdf(1 - tail)
    t = (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )
    return 1 - NormalDist().cdf(t * math.sqrt(documents / n))


def _with_all(found: Counts) -> Counts:
    return np.concatenate([found, found.sum(axis=1, keepdims=True)], axis=1)


def draws(found: Counts) -> Iterator[Counts]:
    """Sums over as many documents as there are, drawn with replacement; the same draws every time."""
    documents = len(found)
    chance = np.random.default_rng(SEED)
    flat = found.reshape(documents, -1)
    for _ in range(DRAWS // AT_ONCE):
        drawn = chance.integers(0, documents, (AT_ONCE, documents)) + documents * np.arange(AT_ONCE)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        yield (weights @ flat).reshape(AT_ONCE, *found.shape[1:])


def _score(found: NDArray[np.float64], low: float, high: float) -> Score:
    right, told, true = found
    return Score(
        precision=right / max(told, 1), recall=right / max(true, 1), f1=float(f1(found)),
        low=low, high=high, entities=int(true),
    )  # fmt: skip
