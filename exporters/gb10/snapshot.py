"""What the sampler said last → what may be told of it now. One writer, many readers; nothing old is told as new."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exporters.gb10 import states

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporters.gb10.readings.nvml import Sample
    from exporters.gb10.states import State, Window


@dataclass(frozen=True, slots=True)
class Status:
    """How NVML and its sampler are at one moment. `sample` is None as soon as the last one is too old to be true."""

    sample: Sample | None = None
    low_power: Mapping[int, State] = field(default_factory=dict)  # by GPU; only while `sample` is told
    clock_cap_hertz: float | None = None  # what the operator has announced
    age_s: float | None = None  # of the last sample, told or not; None before the first
    at: float | None = None  # when it came, in seconds since 1970
    samples: int = 0
    restarts: int = 0  # samplers given up, for whatever reason but that there is no NVML
    stuck: int = 0  # samplers killed that have not died: they hang in the driver
    stuck_s: float = 0.0  # how long an answer has been overdue; 0 while NVML answers, be it that it has nothing


class Snapshot:
    """The last sample, kept for `valid_s` seconds by `clock`; `wall_clock` is that of the calendar."""

    def __init__(
        self,
        valid_s: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        wall_clock: Callable[[], float] = time.time,
        clock_cap_hertz: float | None = None,
    ) -> None:
        self._valid_s, self._clock, self._wall_clock = valid_s, clock, wall_clock
        self._status, self._at = Status(clock_cap_hertz=clock_cap_hertz), 0.0
        self._windows: dict[int, Window] = {}
        self._stuck_since: float | None = None
        self._lock = threading.Lock()

    def put(self, sample: Sample) -> None:
        """A new sample has come."""
        now = self._clock()
        windows = {
            gpu.index: states.extended(self._windows.get(gpu.index, ()), states.moment(now, gpu), self._valid_s)
            for gpu in sample.gpus
        }
        judged = {index: states.state(window, self._status.clock_cap_hertz) for index, window in windows.items()}
        low_power = {index: state for index, state in judged.items() if state is not None}
        with self._lock:
            self._status = replace(
                self._status,
                sample=sample,
                low_power=low_power,
                at=self._wall_clock(),
                samples=self._status.samples + 1,
            )
            self._at, self._windows, self._stuck_since = now, windows, None

    def overdue(self) -> None:
        """An answer due now has not come: until the next answer NVML counts as stuck, since the first such moment."""
        with self._lock:
            if self._stuck_since is None:
                self._stuck_since = self._clock()

    def unavailable(self) -> None:
        """NVML answered that it has nothing to tell: it is not stuck, and what it said last is not told any more."""
        with self._lock:
            self._status, self._stuck_since = replace(self._status, sample=None), None

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
            status, now = self._status, self._clock()
            age, since = now - self._at, self._stuck_since
        status = replace(status, stuck_s=0.0 if since is None else now - since)
        if not status.samples:
            return status
        is_fresh = status.sample is not None and age <= self._valid_s
        return replace(
            status,
            age_s=age,
            sample=status.sample if is_fresh else None,
            low_power=status.low_power if is_fresh else {},
        )

    def moment(self) -> tuple[int, int, bool]:
        """Changes whenever another sample may be told, or none any more."""
        with self._lock:
            status, age = self._status, self._clock() - self._at
        return status.samples, status.restarts, status.sample is not None and age <= self._valid_s
