"""What each candidate said of the same documents → how far the best one leads each other, and whether by chance. Pure.

Which one is the best is seen only in the figures, and among many some lead is always great. So every pair is tested,
both ways, by the gate's exact exchange of documents, and Holm's steps (1979) make all of these claims wrong together no
oftener than one alone would be. The interval of a lead is of that pair alone, by a bootstrap of documents.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workloads.label import gate
from workloads.label.learning import scoring

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Counts = NDArray[np.float64]  # documents x labels x (right, told, true) entities


@dataclass(frozen=True)
class Lead:
    """F1 of the best candidate less another one's, its interval, and how likely chance alone leads so far."""

    f1: float
    low: float
    high: float
    chance: float  # of all pairs together


def best(said: Sequence[Counts]) -> int:
    """The candidate with the greatest F1 over all labels; of equals the first."""
    return int(np.argmax([float(scoring.f1(each.sum(axis=(0, 1)))) for each in said]))


def leads(said: Sequence[Counts], first: int) -> list[Lead]:
    """Of the first one over each; over itself, none."""
    whole = [each.sum(axis=1) for each in said]
    chances = holm({
        pair: chance
        for one, other in itertools.combinations(range(len(said)), 2)
        for pair, chance in _both_ways(one, other, gate.exchanged(whole[one], whole[other]))
    })  # fmt: skip
    seen = [float(scoring.f1(each.sum(axis=0))) for each in whole]
    low, high = _intervals(np.stack(whole, axis=1), first)
    return [
        Lead(seen[first] - seen[at], low[at], high[at], chances.get((first, at), 1.0)) for at in range(len(said))
    ]  # fmt: skip


def holm(chances: Mapping[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    """Each claim's chance by itself → its chance among all of them."""
    found, least = {}, 0.0
    for done, (pair, chance) in enumerate(sorted(chances.items(), key=lambda each: each[1])):
        least = max(least, min(1.0, chance * (len(chances) - done)))
        found[pair] = least
    return found


def _both_ways(one: int, other: int, leads: NDArray[np.float64]) -> list[tuple[tuple[int, int], float]]:
    """How often an exchange leads as what was seen, or further: the one over the other, and the other over the one."""
    return [
        ((one, other), float((leads >= leads[0] - 1e-12).mean())),
        ((other, one), float((leads <= leads[0] + 1e-12).mean())),
    ]


def _intervals(totals: Counts, first: int) -> tuple[list[float], list[float]]:
    """Lower and upper ends of the first one's lead over each. One document tells nothing."""
    if len(totals) < 2:
        return [-1.0] * totals.shape[1], [1.0] * totals.shape[1]
    drawn = np.concatenate([scoring.f1(draw) for draw in scoring.draws(totals)])
    side = scoring.level((1 - scoring.CONFIDENCE) / 2, len(totals))
    low, high = np.quantile(drawn[:, [first]] - drawn, [side, 1 - side], axis=0)
    return low.tolist(), high.tolist()
