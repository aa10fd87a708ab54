"""Keeps one sampler running and its samples flowing into the snapshot; gives up a sampler that is silent or broken."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol

from exporters.gb10.readings import nvml as readings

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporters.gb10.snapshot import Snapshot

log = logging.getLogger(__name__)

START_S = 10.0  # more time for the first line: Python starts, the driver may have to wake up
MOST_STUCK = 2  # samplers that cannot be killed; a third would only pile up in the driver
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # between two samplers, doubling while none gives a sample


class Sampler(Protocol):
    """What the watcher needs of sources.sampler_process.Sampler."""

    def line(self, timeout_s: float) -> str | None:
        """The next line, None at the end; TimeoutError or ValueError when none comes."""

    def kill(self) -> None:
        """Ask it to die."""

    def forget(self) -> None:
        """Kill it and read it no more."""

    def is_gone(self) -> bool:
        """Whether it has died."""


class Watcher:
    """`start()` makes a sampler; a line is due every `deadline_s` seconds."""

    def __init__(self, snapshot: Snapshot, start: Callable[[], Sampler], deadline_s: float) -> None:
        self._snapshot, self._start, self._deadline_s = snapshot, start, deadline_s
        self._stop = threading.Event()
        self._sampler: Sampler | None = None
        self._killed: list[Sampler] = []
        self._thread = threading.Thread(target=self._run, name="nvml-watcher", daemon=True)
        self._last_reason = ""
        self.tried = threading.Event()  # set once the first sampler has said something or was given up

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Kill the sampler and end; a sampler that cannot be killed is left behind."""
        self._stop.set()
        if self._sampler:
            self._sampler.kill()  # ends the wait for its next line
        self._thread.join(timeout=2 * self._deadline_s)

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            if not self.may_start():
                self._stop.wait(FIRST_PAUSE_S)
                continue
            pause_s = FIRST_PAUSE_S if self.follow() else min(2 * pause_s, LONGEST_PAUSE_S)
            self._stop.wait(pause_s)

    def may_start(self) -> bool:
        """Reap the killed samplers that have died; whether so few are left that one more may be started."""
        self._killed = [sampler for sampler in self._killed if not sampler.is_gone()]
        self._snapshot.set_stuck(len(self._killed))
        return len(self._killed) < MOST_STUCK

    def follow(self) -> bool:
        """Run one sampler to its end; whether it gave a sample."""
        gave_sample = False
        try:
            sampler = self._sampler = self._start()
        except OSError as error:
            self._tell(f"the sampler does not start: {error}")
            self.tried.set()
            return False
        try:
            timeout_s = self._deadline_s + START_S
            while not self._stop.is_set() and (line := sampler.line(timeout_s)) is not None:
                timeout_s = self._deadline_s
                reading = readings.sample(line)
                if isinstance(reading, readings.Failure):
                    self._tell(f"NVML gives nothing: {reading.reason}")
                    self._snapshot.unavailable()
                    break
                gave_sample = True
                self._snapshot.put(reading)
                self._tell("" if reading.up else "a GPU is in trouble")
                self.tried.set()
            else:
                self._snapshot.drop()
        except TimeoutError as error:
            self._tell(f"the sampler is given up: {error}")
            self._snapshot.overdue()
            self._snapshot.drop()
        except ValueError as error:
            self._tell(f"the sampler is given up: {error}")
            self._snapshot.drop()
        sampler.forget()
        self._killed.append(sampler)
        self.tried.set()
        return gave_sample

    def _tell(self, reason: str) -> None:
        """Log what changed, not what stays."""
        if reason != self._last_reason:
            log.log(logging.WARNING if reason else logging.INFO, "%s", reason or "NVML answers")
            self._last_reason = reason
