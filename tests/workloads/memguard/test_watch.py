"""Readings while weights stream → evictions: the watch as a state machine, with a clock of its own."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from workloads.memguard.memory import Memory
from workloads.memguard.watch import APART_S, EVERY_S, QUIET_S, WORTH, Act, Watch

GIB = 1 << 30
FLOOR, WATCH_S = 8 * GIB, 900.0


def played(readings: list[Memory], after: Memory | None = None) -> list[Act]:
    """What is done on each reading, one each EVERY_S; an eviction leaves `after`, or nothing changed."""
    watch, acts = Watch(FLOOR, WATCH_S, 0.0), []
    for number, now in enumerate(readings):
        acts.append(watch.step(now, number * EVERY_S))
        if acts[-1] is Act.EVICT:
            watch.evicted(after or now)
    return acts


def reading(free_gib: float, cache_gib: float = 50) -> Memory:
    """So much free, and so much of files."""
    return Memory(int(free_gib * GIB), 100 * GIB, cache=int(cache_gib * GIB))


def test_weights_that_fill_the_cache_are_let_go_of_below_the_floor() -> None:
    """1 GiB every half second from 12 GiB free: nothing above 8, an eviction at the first reading below."""
    acts = played([reading(free) for free in (12, 11, 10, 9, 8, 7)], after=reading(60))

    assert acts == [Act.NOTHING] * 5 + [Act.EVICT]


def test_an_eviction_that_brings_nothing_is_not_repeated_soon() -> None:
    """Memory that is not page cache cannot be evicted: the distances double, from 2 s."""
    acts = played([reading(1)] * int(QUIET_S / EVERY_S))
    times = [number * EVERY_S for number, act in enumerate(acts) if act is Act.EVICT]

    assert [b - a for a, b in itertools.pairwise(times)] == [2 * APART_S, 4 * APART_S, 8 * APART_S]


def test_a_small_cache_is_left_alone() -> None:
    """Half a GiB of programs' own files is not worth what its loss costs."""
    assert Act.EVICT not in played([reading(1, WORTH / GIB - 0.01)] * 20)


def test_it_ends_when_memory_has_stood_still() -> None:
    """A minute without movement: the load is over, also the 17 to 19 GiB that go after the weights."""
    acts = played([reading(60 - number / 10) for number in range(100)] + [reading(40)] * 200)
    end = acts.index(Act.END)

    assert 100 + QUIET_S / EVERY_S - 5 <= end <= 100 + QUIET_S / EVERY_S


def test_it_ends_when_its_time_is_over() -> None:
    """A load that never stands still is watched for as long as described."""
    acts = played([reading(20 + number % 2 * 9) for number in range(int(WATCH_S / EVERY_S) + 1)])

    assert acts.index(Act.END) == WATCH_S / EVERY_S


@given(st.lists(st.builds(reading, st.floats(0, 100), st.floats(0, 100)), max_size=200))
def test_it_never_evicts_above_the_floor_or_too_often(readings: list[Memory]) -> None:
    """For any course of memory: below the floor alone, and never twice within APART_S."""
    acts = played(readings)
    times = [number * EVERY_S for number, act in enumerate(acts) if act is Act.EVICT]

    assert all(now.free < FLOOR for now, act in zip(readings, acts, strict=True) if act is Act.EVICT)
    assert all(b - a >= APART_S for a, b in itertools.pairwise(times))
