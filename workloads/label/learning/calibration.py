"""What a model says of text that it did not learn from → the temperature that makes its scores honest. Pure.

Honest: of the entities with a score about 0.8, four in five are exactly right. One number divides all logits (Guo et
al., On Calibration of Modern Neural Networks, 2017); it is fitted to whole entities, as those are what people see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workloads.label.learning import bio, decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloads.label.learning.decode import Read
    from workloads.label.records import Span

TEMPERATURES = np.geomspace(0.25, 8.0, 41)
FEWEST = 5  # entities; fewer tell nothing, and 1 is as good a guess as any
BINS = 10
NEAREST_ZERO = 1e-9


def temperature(read: Sequence[Read], truth: Sequence[Sequence[Span]], labels: Sequence[str]) -> float:
    """The one under which it is likeliest that the right entities are right and the wrong ones wrong.

    A few right ones do not make certain: as Platt (1999) did, the targets are (right + 1) / (right + 2) and
    1 / (wrong + 2), not 1 and 0.
    """
    right = np.array([hit for each, spans in zip(read, truth, strict=True) for hit in hits(each, spans, labels)], bool)
    if len(right) < FEWEST:
        return 1.0
    target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    logits = _one(read)
    found = decode.runs(logits)

    def cost(at: float) -> float:
        told = np.array(decode.scores(found, decode.odds(logits, at))).clip(NEAREST_ZERO, 1 - NEAREST_ZERO)
        return float(-(target * np.log(told) + (1 - target) * np.log(1 - told)).mean())

    return float(min(TEMPERATURES, key=cost))


def _one(read: Sequence[Read]) -> NDArray[np.float32]:
    """All texts as one, with a word between any two that is surely in no entity: no score changes by it."""
    border = np.full((1, max(each.logits.shape[1] for each in read)), -np.inf, np.float32)
    border[0, bio.OUTSIDE] = 0
    return np.concatenate([part for each in read if len(each.words) for part in (each.logits, border)])


def hits(read: Read, truth: Sequence[Span], labels: Sequence[str]) -> NDArray[np.bool_]:
    """Of each entity that was found, whether it is exactly right."""
    true = {(span.start, span.end, span.label) for span in truth}
    found = decode.spans(read.words, read.logits, labels, 1.0)
    return np.array([(span.start, span.end, span.label) in true for span in found], dtype=bool)


def error(told: Sequence[float], right: Sequence[bool]) -> float | None:
    """How far scores are from the share that is right, on average over entities in ten bins; None without entities.

    The expected calibration error of Naeini et al., Obtaining Well Calibrated Probabilities (2015).
    """
    if not told:
        return None
    scores, hit = np.asarray(told), np.asarray(right, dtype=float)
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = [abs((hit - scores)[bins == number].sum()) for number in range(BINS)]
    return float(sum(gaps) / len(scores))
