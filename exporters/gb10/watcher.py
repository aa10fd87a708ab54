"""Keeps one sampler running and its samples flowing into the snapshot; gives up a sampler that is silent or broken."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from exporters.gb10.readings import nvml as readings

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporters.gb10.snapshot import Snapshot
    from exporters.gb10.sources.sampler_process import Sampler

log = logging.getLogger(__name__)

START_S = 10.0  # more time for the first line: Python compiles pynvml (8,000 lines) when it comes out of a zipapp
MOST_STUCK = 2  # samplers that cannot be killed; a third would only pile up in the driver
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # between two samplers, doubling while none gives a sample


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
            self._killed = [sampler for sampler in self._killed if not sampler.is_gone()]
            self._snapshot.set_stuck(len(self._killed))
            if len(self._killed) < MOST_STUCK:
                pause_s = FIRST_PAUSE_S if self._follow() else min(2 * pause_s, LONGEST_PAUSE_S)
            self._stop.wait(pause_s)

    def _follow(self) -> bool:
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
                    break
                gave_sample = True
                self._snapshot.put(reading)
                self._tell("" if reading.up else "a GPU is in trouble, or there is none")
                self.tried.set()
        except (TimeoutError, ValueError) as error:
            self._tell(f"the sampler is given up: {error}")
        sampler.forget()
        self._snapshot.drop()
        self._killed.append(sampler)
        self.tried.set()
        return gave_sample

    def _tell(self, reason: str) -> None:
        """Log what changed, not what stays."""
        if reason != self._last_reason:
            log.log(logging.WARNING if reason else logging.INFO, "%s", reason or "NVML answers")
            self._last_reason = reason
