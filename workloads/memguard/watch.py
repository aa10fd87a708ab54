"""Readings while weights stream from the NVMe → evictions that keep a floor of free memory, until the load is over.

Nobody tells when a load is over: it is when memory has stood still for QUIET_S, since 17 to 19 GiB more go within 10 s
after the last weight (reported), or when the described time is over. `Watch` and `due` are pure; `run` is the loop.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from workloads.memguard import kept
from workloads.memguard.decide import LARGE_SHARE, Step
from workloads.memguard.memory import read
from workloads.memguard.room import act
from workloads.memguard.serving import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloads.memguard.config import Config
    from workloads.memguard.memory import Memory

EVERY_S = 0.5  # 10 GB/s of an NVMe are 5 GB between two looks: the floor is larger
QUIET_S = 60.0
STILL = 256 << 20  # bytes: what a machine moves that loads nothing
WORTH = 512 << 20  # bytes of page cache, below which an eviction is not worth what it costs others
APART_S, MOST_APART_S = 2.0, 60.0  # between two evictions; doubled as long as they bring nothing


class Act(Enum):
    """What a reading asks for."""

    NOTHING = "nothing"
    EVICT = "evict"
    END = "end"


@dataclass
class Watch:
    """The state of one watch. Times in seconds of one clock that only goes forward."""

    floor: int
    watch_s: float
    began_s: float
    _moved_s: float = 0.0
    _free: int = -1
    _next_s: float = 0.0
    _apart_s: float = APART_S
    _before: int = -1

    def step(self, now: Memory, now_s: float) -> Act:
        """What to do on this reading."""
        if self._free < 0 or abs(now.free - self._free) > STILL:
            self._free, self._moved_s = now.free, now_s
        if now_s - self.began_s >= self.watch_s or now_s - self._moved_s >= QUIET_S:
            return Act.END
        if now.free >= self.floor or now.cache < WORTH or now_s < self._next_s:
            return Act.NOTHING
        self._before, self._next_s = now.free, now_s + self._apart_s
        return Act.EVICT

    def evicted(self, now: Memory) -> None:
        """Tell what the eviction brought: one that brought nothing is not repeated as soon."""
        brought = now.free - self._before
        longer = min(MOST_APART_S, self._apart_s * 2) if brought < STILL else APART_S
        self._next_s += longer - self._apart_s
        self._apart_s = longer


def due(step: Step, now: Memory, config: Config) -> bool:
    """Whether a step is worth taking below the floor: described folders, all page cache, compaction, in this order."""
    if step is Step.COMPACT:
        return now.large_free < LARGE_SHARE * config.floor_bytes
    return now.free < config.floor_bytes and (step is Step.DROP or bool(config.folders))


def run(config: Config) -> None:
    """Watch until the load is over; raises UnreadableError and OSError.

    Where somebody serves already when it begins, only described folders are let go of: that costs nobody else anything.
    """
    ladder = (Step.FOLDERS,) if serving(config.serving).who else (Step.FOLDERS, Step.DROP, Step.COMPACT)
    watch = Watch(config.floor_bytes, config.watch_s, time.monotonic())
    while (todo := watch.step(now := read(config.procfs), time.monotonic())) is not Act.END:
        if todo is Act.EVICT:
            with kept.alone(config):
                after = evict(config, ladder, now)
            watch.evicted(after)
        time.sleep(EVERY_S)


def evict(config: Config, ladder: Sequence[Step], now: Memory) -> Memory:
    """Take the steps that are due, gentlest first, and count them; returns what is there then."""
    for step in ladder:
        if due(step, now, config):
            act(step, config)
            after = read(config.procfs)
            how = step.value.split()[0]
            gone = {} if step is Step.COMPACT else {f"evicted {how}": max(0, now.cache - after.cache)}
            kept.count(config, {**gone, f"watched {how}": 1})
            now = after
    return now
