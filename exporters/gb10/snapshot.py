"""What the sampler said last → what may be told of it now. One writer, many readers; nothing old is told as new."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporters.gb10.readings.nvml import Sample


@dataclass(frozen=True, slots=True)
class Status:
    """How NVML and its sampler are at one moment. `sample` is None as soon as the last one is too old to be true."""

    sample: Sample | None = None
    age_s: float | None = None  # of the last sample, told or not; None before the first
    samples: int = 0
    restarts: int = 0  # samplers given up, for whatever reason
    stuck: int = 0  # samplers killed that have not died: they hang in the driver


class Snapshot:
    """The last sample, kept for `valid_s` seconds by `clock`."""

    def __init__(self, valid_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._valid_s, self._clock = valid_s, clock
        self._status, self._at = Status(), 0.0
        self._lock = threading.Lock()

    def put(self, sample: Sample) -> None:
        """A new sample has come."""
        with self._lock:
            self._status = replace(self._status, sample=sample, samples=self._status.samples + 1)
            self._at = self._clock()

    def drop(self) -> None:
        """The sampler was given up: what it said last is not told any more."""
        with self._lock:
            self._status = replace(self._status, sample=None, restarts=self._status.restarts + 1)

    def set_stuck(self, count: int) -> None:
        """So many killed samplers are still there."""
        with self._lock:
            self._status = replace(self._status, stuck=count)

    def status(self) -> Status:
        """What may be told now."""
        with self._lock:
            status, age = self._status, self._clock() - self._at
        if not status.samples:
            return status
        return replace(status, age_s=age, sample=status.sample if age <= self._valid_s else None)
