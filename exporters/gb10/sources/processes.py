"""Process ids → the text of /proc/PID/cgroup and /proc/PID/comm. Decides nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporters.gb10.sources.host import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# Neither takes a lock that a process in trouble could hold; reading /proc/PID/cmdline would, and could hang the scrape.
FILES = ("cgroup", "comm")
KEPT_S = 10.0  # a program that takes another name, or another's process id, is seen so much later


class Owners:
    """The owners of processes, read again when `KEPT_S` have gone by the clock; the rest is forgotten at once."""

    def __init__(self, procfs: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._procfs, self._clock = procfs, clock
        self._known: dict[int, tuple[float, dict[str, str]]] = {}

    def texts(self, pids: Iterable[int]) -> dict[int, dict[str, str]]:
        """Process id → its files by name. A process that is gone or belongs to another namespace has none.

        Bytes that are not UTF-8 (any program may name itself so) are replaced.
        """
        now = self._clock()
        self._known = {pid: self._fresh(pid, now) for pid in pids}
        return {pid: texts for pid, (_, texts) in self._known.items()}

    def _fresh(self, pid: int, now: float) -> tuple[float, dict[str, str]]:
        known = self._known.get(pid)
        if known and now - known[0] < KEPT_S:
            return known
        folder = self._procfs / str(pid)
        return now, {name: text for name in FILES if (text := read(folder / name))}
