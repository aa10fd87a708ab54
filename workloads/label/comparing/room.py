"""Memory, cores and GPUs → where entries are trained, and how many of them at once. Pure.

What a training takes is estimated before it begins, because a GPU that shares the host's memory does not fail alone: it
takes the host along. Measured: DistilBERT-base's shape (66 M, 6 layers of 768) in batches of 32 windows of up to 256
tokens takes 2.7 GiB with all its graphs (H200, bench/finetune.py); the estimate is 2.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

A_PARAMETER = 18  # bytes: weight, gradient, two moments of AdamW, all 32 bits; its copy of 16 bits in a step
AN_ACTIVATION = 48  # bytes, of each unit of each layer and token: kept from forward for backward
FLOOR_BYTES = 4 << 30  # stays free, for everybody else
CPU_BYTES = 2 << 30  # what a process with a model takes on the CPU, the libraries among it
T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """Where some entries are trained, by one process. `gpu` None: on the CPU, with so many threads."""

    gpu: int | None
    threads: int


def places(gpus: int, cores: int, available_bytes: int, entries: int, at_once: int) -> list[Place]:
    """All GPUs that have an entry to train; without any, one thread each for as many as cores and memory allow.

    On the CPU a training has one thread, however many others there are: the number of threads changes the last digits.
    """
    if gpus:
        return [Place(gpu, max(1, cores // gpus)) for gpu in range(min(gpus, entries))]
    room = max(1, (available_bytes - FLOOR_BYTES) // CPU_BYTES)
    return [Place(None, 1)] * max(1, min(entries, at_once or cores, room))


def spread(work: Sequence[tuple[T, int]], count: int) -> list[list[T]]:
    """Things with what each costs → shares of like cost: the dearest first, each to the share that has least."""
    shares: list[list[T]] = [[] for _ in range(count)]
    costs = [0] * count
    for thing, cost in sorted(work, key=lambda each: -each[1]):
        at = costs.index(min(costs))
        shares[at].append(thing)
        costs[at] += cost
    return [share for share in shares if share]


def training_bytes(parameters: int, layers: int, units: int, tokens: int) -> int:
    """What a training takes of a GPU; `tokens`: of its widest batch."""
    return parameters * A_PARAMETER + tokens * layers * units * AN_ACTIVATION


def fits(wanted: int, taken: Sequence[int], free_bytes: int, at_once: int) -> bool:
    """Whether one more may begin. `free_bytes`: before the first one began. One alone always may: it can but fail."""
    if not taken:
        return True
    return len(taken) < (at_once or len(taken) + 1) and sum(taken) + wanted + FLOOR_BYTES <= free_bytes
