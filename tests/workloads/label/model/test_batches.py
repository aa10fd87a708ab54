"""The batches of a training: each window once an epoch, in few widths, the same for the same seed."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workloads.label.learning import batches

MOST = 512
LENGTHS = st.lists(st.integers(1, MOST), min_size=1, max_size=300)
SIZES, SEEDS = st.integers(1, 40), st.integers(0, 2**32 - 1)


@given(LENGTHS, SIZES, SEEDS)
def test_every_window_is_learned_once_an_epoch(lengths: list[int], size: int, seed: int) -> None:
    """Of two epochs each row stands in both, and all batches of an epoch but one are full."""
    plan = batches.plan(lengths, size, 2, seed, MOST)
    an_epoch = math.ceil(len(lengths) / size)
    assert len(plan) == 2 * an_epoch
    for epoch in (plan[:an_epoch], plan[an_epoch:]):
        assert Counter(row for batch in epoch for row in batch.rows) == Counter(range(len(lengths)))
        assert sum(len(batch.rows) < size for batch in epoch) <= 1


@given(LENGTHS, SIZES, SEEDS, st.floats(0.1, 3))
def test_a_batch_is_as_wide_as_its_longest_window_needs(
    lengths: list[int], size: int, seed: int, epochs: float
) -> None:
    """No narrower, never wider than the model reads, and no more widths than a GPU should have graphs."""
    plan = batches.plan(lengths, size, epochs, seed, MOST)
    assert len(plan) == math.ceil(epochs * math.ceil(len(lengths) / size))
    for batch in plan:
        longest = max(lengths[row] for row in batch.rows)
        assert longest <= batch.width <= min(MOST, longest + 63)
    assert len({batch.width for batch in plan}) <= 10
    again = batches.plan(lengths, size, epochs, seed, MOST)
    assert all(np.array_equal(one.rows, other.rows) for one, other in zip(plan, again, strict=True))


def test_windows_of_like_length_are_learned_together() -> None:
    """Little is filled up, and yet batches come in no order of their length."""
    lengths = list(np.random.default_rng(1).integers(5, 256, 2000))
    plan = batches.plan(lengths, 32, 1, 7, MOST)
    laid_out = sum(batch.width * len(batch.rows) for batch in plan)
    assert sum(lengths) / laid_out > 0.8  # 0.5 when they are drawn from all
    widths = [batch.width for batch in plan]
    assert widths not in (sorted(widths), sorted(widths, reverse=True))


@given(st.integers(1, 5000))
def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_nothing(steps: int) -> None:
    """As transformers' linear schedule with its warm-up: highest where the first tenth ends."""
    rates = [batches.rate(step, steps) for step in range(steps + 1)]
    top = math.ceil(0.1 * steps)
    assert rates[-1] == 0
    assert max(rates) == rates[top] <= 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
