"""Logits of a text's words → labelled stretches with a score each, and how certain the whole is. Pure.

A stretch's score is the probability that exactly this is an entity, by the network's own odds: that it begins here,
goes on for so long and then goes on no more, each of it given by the softmax of logits / temperature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloads.label.learning import bio
from workloads.label.records import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloads.label.learning.bio import Run, Word

    Odds = NDArray[np.float64]


@dataclass(frozen=True)
class Read:
    """A text as a model reads it: its words, and a row of logits for each."""

    words: list[Word]
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class Said:
    """What a model says of one text."""

    spans: list[Span]
    certainty: float


def odds(logits: NDArray[np.float32], temperature: float) -> Odds:
    """Softmax of each row at a temperature."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def runs(logits: NDArray[np.float32]) -> list[Run]:
    """The entities among a text's words: the likeliest tag of each word counts; no temperature changes that."""
    return bio.runs(logits.argmax(axis=-1).tolist()) if len(logits) else []


def scores(found: Sequence[Run], odds: Odds) -> list[float]:
    """Of each run, the probability that it is an entity from its first to its last word, and neither more nor less."""
    told = []
    for run in found:
        first, inner = bio.begin(run.label), bio.inside(run.label)
        before = odds[run.first - 1, [first, inner]].sum() if run.first else 0.0
        after = odds[run.last + 1, inner] if run.last + 1 < len(odds) else 0.0
        begins = odds[run.first, first] + odds[run.first, inner] * (1 - before)  # see bio.runs
        chance = begins * odds[run.first + 1 : run.last + 1, inner].prod() * (1 - after)
        told.append(float(min(max(chance, 0.0), 1.0)))
    return told


def spans(words: Sequence[Word], logits: NDArray[np.float32], labels: Sequence[str], temperature: float) -> list[Span]:
    """The entities as stretches of the text."""
    found = runs(logits)
    if not found:
        return []
    return [
        Span(start=words[run.first].start, end=words[run.last].end, label=labels[run.label], score=score)
        for run, score in zip(found, scores(found, odds(logits, temperature)), strict=True)
    ]


def certainty(logits: NDArray[np.float32], temperature: float) -> float:
    """Probability of the likeliest tag, as the geometric mean over the words: a long text is not less certain for it.

    The maximum normalised log-probability of Shen et al., Deep Active Learning for Named Entity Recognition (2018).
    A text without words is certain.
    """
    if not len(logits):
        return 1.0
    return float(min(np.exp(np.log(odds(logits, temperature).max(axis=-1)).mean()), 1.0))
