"""Cores, memory and GPUs → workers, threads, batches and queues of a conversion. Pure but for `machine`.

A GPU that shares the host's memory does not fail alone: it takes the host along. So all that may be taken is promised
beforehand: every worker its limit, the models' server its share, and a floor that stays free for everybody else.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.memguard import memory
from workloads.memguard.config import PROC

if TYPE_CHECKING:
    from workloads.label.params import Convert

FLOOR_BYTES, FLOOR_SHARE = 2 << 30, 0.1  # of all memory: the greater one stays free
SERVER_BYTES = 6 << 30  # CUDA's libraries and context, both models' weights, and what a batch takes
LEAST_SERVER_BYTES = 2 << 30
PAGE_BYTES = 128 << 20  # a page's way through the layout model, on a GPU
MOST_PAGES_AT_ONCE = 32


@dataclass(frozen=True)
class Machine:
    """What there is to share, now."""

    cores: int
    total_bytes: int
    available_bytes: int
    gpus: int


@dataclass(frozen=True)
class Sizes:
    """How a conversion is laid out."""

    workers: int
    threads: int  # of each worker's models
    staged: int  # documents that are copied while all workers are busy, so that none waits for one
    served: bool  # the models are one process's, which owns the GPU
    batch: int  # pages that it takes at once
    server_bytes: int


def chosen(convert: Convert, machine: Machine) -> Sizes:
    """As many workers as have a core and a promise of memory, one at least; the owner's number goes before.

    With a GPU the models are its server's, which has a core to itself where there are several. Without one every worker
    has the models, as a copy that shares its memory with the others: nobody's pages wait for somebody else's.
    """
    served = {"auto": machine.gpus > 0, "server": True, "worker": False}[convert.models]
    floor = max(FLOOR_BYTES, int(FLOOR_SHARE * machine.total_bytes))
    free = max(0, machine.available_bytes - floor)
    server = max(LEAST_SERVER_BYTES, min(SERVER_BYTES, free // 2)) if served else 0
    cores = max(1, machine.cores - (served and machine.cores > 2))
    workers = convert.workers or max(1, min(cores, max(0, free - server) // (convert.memory_mib << 20)))
    batch = max(1, min(MOST_PAGES_AT_ONCE, server // 2 // PAGE_BYTES))
    threads = 1 if served and machine.gpus else max(1, machine.cores // workers)
    return Sizes(workers, threads, staged=workers, served=served, batch=batch, server_bytes=server)


def machine() -> Machine:
    """This one; raises UnreadableError where the kernel does not tell its memory."""
    now, cores = memory.read(PROC), len(os.sched_getaffinity(0))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = list(Path("/dev").glob("nvidia[0-9]*"))
    return Machine(cores, now.total, now.available, gpus(devices, visible))


def gpus(devices: list[Path], visible: str | None) -> int:
    """How many may be used; `visible` as CUDA_VISIBLE_DEVICES says it, None: all."""
    return len(devices) if visible is None else min(len(devices), len([each for each in visible.split(",") if each]))
