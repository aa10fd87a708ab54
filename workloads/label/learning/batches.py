"""Lengths of windows → the batches of a whole training: which windows, filled up to which width. Pure.

Batches are drawn at random, from groups of windows of like length, as transformers' LengthGroupedSampler does it: each
window once an epoch. Widths are few, because each one is a graph of its own on a GPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

GROUP = 50  # batches whose windows are sorted by length among themselves
STEP, WIDE, WIDE_STEP = 32, 128, 64  # widths: 32, 64, 96, 128, then 192, 256, …
WARM_UP = 0.1  # of all steps


@dataclass(frozen=True)
class Batch:
    """Rows of the training's windows, and how many tokens wide they are laid out."""

    rows: Rows
    width: int


def plan(lengths: Sequence[int], size: int, epochs: float, seed: int, most: int) -> list[Batch]:
    """Every batch of `epochs`, the last of an epoch perhaps smaller, none wider than `most`; the same for the same."""
    every = np.asarray(lengths, np.int64)
    wanted = math.ceil(epochs * math.ceil(len(every) / size))
    found: list[Batch] = []
    epoch = 0
    while len(found) < wanted:
        found += _epoch(every, size, np.random.default_rng((seed, epoch)), most)
        epoch += 1
    return found[:wanted]


def width(longest: int) -> int:
    """The narrowest width that takes so many tokens."""
    step = STEP if longest <= WIDE else WIDE_STEP
    return -(-longest // step) * step


def rate(step: int, steps: int) -> float:
    """The part of the learning rate that counts at a step: up in a line, then down to nothing, as the Trainer's."""
    warm = math.ceil(WARM_UP * steps)
    return step / warm if step < warm else (steps - step) / max(1, steps - warm)


def _epoch(lengths: Rows, size: int, chance: np.random.Generator, most: int) -> list[Batch]:
    order = chance.permutation(len(lengths))
    groups = [order[start : start + GROUP * size] for start in range(0, len(order), GROUP * size)]
    rows = np.concatenate([group[np.argsort(-lengths[group], kind="stable")] for group in groups])
    cut = [rows[start : start + size] for start in range(0, len(rows), size)]
    return [Batch(cut[at], min(most, width(int(lengths[cut[at]].max())))) for at in chance.permutation(len(cut))]
