"""A collector → its latest outcome: asked within the scrape, or polled in a thread of its own where it could block.

A poll that hangs (a sensor asleep behind ACPI, a dead disk) delays no scrape and no other collector: what it said last
is told for three more of its intervals (10 s at least), then nothing of it.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.gb10.collectors import UnreadableError
from exporters.web.exposition import exposition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

log = logging.getLogger(__name__)

INTERVALS_KEPT = 3  # one late poll is no fault, three are
LEAST_KEPT_S = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """One collector: how to ask it, and how often. With `every_s` 0 each scrape asks it, so it must never block.

    `same`: scrape and flight recorder get one answer within an interval of NVML, for as long as this gives the same.
    """

    families: Callable[[], Iterable[Metric]]
    every_s: float = 0
    same: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a collector said last. One that failed or is overdue has no families, however many it gave before.

    One that could not understand a part of its subject (UnreadableError) has the rest, and has failed nonetheless.
    """

    families: tuple[Metric, ...] = ()
    text: str = ""  # the same families as an exposition
    duration_s: float | None = None  # None before the first poll has ended
    last_success: float | None = None  # seconds since 1970
    failed: bool = False

    @property
    def success(self) -> bool:
        """Whether there is something to tell, and all of it was understood."""
        return bool(self.families) and not self.failed


class Asked:
    """A part that every scrape asks; one with `same` again when that has changed, or its outcome is `kept_s` old."""

    def __init__(self, name: str, part: Part, kept_s: float = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self._families = name, part.families
        self._same, self._kept_s, self._clock = part.same, kept_s, clock
        self._latest: tuple[Outcome, float, object] | None = None  # and when it was asked, and of what
        self._last_success: float | None = None
        self._failing = False
        self._lock = threading.Lock()  # the scrape and the flight recorder ask

    def outcome(self) -> Outcome:
        """What it says now, or said a moment ago; what it raises is logged, when new, and makes a failed outcome."""
        with self._lock:
            if self._same is None:
                return self._ask()
            now, of = self._clock(), self._same()  # before it is asked: what changes meanwhile is asked for again
            if self._latest is None or now - self._latest[1] >= self._kept_s or of != self._latest[2]:
                self._latest = (self._ask(), now, of)
            return self._latest[0]

    def families(self) -> tuple[Metric, ...]:
        """The same, for another reader than the scrape."""
        return self.outcome().families

    def _ask(self) -> Outcome:
        started = time.perf_counter()
        found: list[Metric] = []
        text, failed = "", False
        try:
            try:
                found.extend(self._families())
            except UnreadableError as error:  # what came before it is good
                failed = True
                self._complain(error)
            text = exposition(found)
        except Exception as error:  # noqa: BLE001  whatever it is, the other collectors must be heard
            found, failed = [], True
            self._complain(error)
        self._failing = failed
        if found and not failed:
            self._last_success = time.time()
        return Outcome(tuple(found), text, time.perf_counter() - started, self._last_success, failed=failed)

    def _complain(self, error: Exception) -> None:
        if not self._failing:
            log.warning("collector %s failed: %r", self.name, error)


class Polled:
    """A part that a thread of its own asks every so often; scrapes are served its last outcome, while that is fresh."""

    def __init__(self, name: str, part: Part, clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self._every_s, self._clock = name, part.every_s, clock
        self._asked = Asked(name, part)
        self._kept_s = max(INTERVALS_KEPT * part.every_s, LEAST_KEPT_S)
        self._latest: tuple[Outcome, float] = (Outcome(), 0.0)  # and when it came; replaced as a whole: no lock needed
        self._began: float | None = None  # when the poll under way began
        self._stop = threading.Event()
        self.polled = threading.Event()  # set once the first poll has ended

    def start(self) -> None:
        """Begin; the thread ends with the process, however stuck it is."""
        threading.Thread(target=self._run, name=f"poll-{self.name}", daemon=True).start()

    def stop(self) -> None:
        """Begin no further poll."""
        self._stop.set()

    def outcome(self) -> Outcome:
        """The last poll's; while one hangs beyond the limit, an empty one that has lasted as long as it hangs."""
        began, (latest, ended) = self._began, self._latest
        now = self._clock()
        if began is not None and now - began > self._kept_s:
            return Outcome(duration_s=now - began, last_success=latest.last_success)
        if now - ended > self._kept_s:  # also after a pause of the whole machine
            return Outcome(duration_s=latest.duration_s, last_success=latest.last_success)
        return latest

    def families(self) -> tuple[Metric, ...]:
        """What it said last, if that is fresh."""
        return self.outcome().families

    def _run(self) -> None:
        while not self._stop.is_set():
            self._began = self._clock()
            outcome = self._asked.outcome()
            self._latest = (outcome, self._clock())
            self._began = None
            self.polled.set()
            self._stop.wait(self._every_s)
