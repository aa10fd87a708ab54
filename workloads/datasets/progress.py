"""Bytes that come → how far it is: a moving bar on a terminal, a line now and then elsewhere, nothing when quiet."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from workloads.datasets.room import size

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_EVERY_S = 10.0


class Progress:
    """Counts, and says nothing; those below say it. Called from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.bytes, self.files = 0, 0

    def begin(self, name: str, version: str, total: int, files: int) -> None:  # noqa: ARG002
        """So much is to come."""
        self.bytes, self.files = 0, 0

    def came(self, size: int, files: int) -> None:
        """So many bytes more (or fewer: a piece that must come again), so many files done."""
        with self._lock:
            self.bytes += size
            self.files += files

    def end(self) -> None:
        """No more comes of it."""


class Lines(Progress):
    """A line every ten seconds, for the journal."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._say, self._clock = say, clock

    def begin(self, name: str, version: str, total: int, files: int) -> None:
        """The first line."""
        super().begin(name, version, total, files)
        self._name, self._total, self._of, self._began = f"{name} {version}", total, files, self._clock()
        self._said = self._began
        self._say(f"{self._name}: {size(total)} in {files} files are to come")

    def came(self, size: int, files: int) -> None:
        """A line, when the last one was long ago."""
        super().came(size, files)
        now = self._clock()
        with self._lock:
            if now - self._said < LINE_EVERY_S:
                return
            self._said = now
        self._say(self._line(now))

    def end(self) -> None:
        """The last line."""
        self._say(self._line(self._clock()))

    def _line(self, now: float) -> str:
        rate = self.bytes / max(now - self._began, 0.001)
        return (
            f"{self._name}: {size(self.bytes)} of {size(self._total)}, {self.files} of {self._of} files, {size(rate)}/s"
        )


class Bar(Progress):
    """rich's bar, with rate and time left."""

    def begin(self, name: str, version: str, total: int, files: int) -> None:
        """Show it."""
        from rich import progress

        super().begin(name, version, total, files)
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"), progress.BarColumn(), progress.DownloadColumn(binary_units=True),
            progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[files]} of " + f"{files} files"),
        )  # fmt: skip
        self._bar.start()
        self._task: Any = self._bar.add_task(f"{name} {version}", total=total, files=0)

    def came(self, size: int, files: int) -> None:
        """Move it; rich redraws ten times a second, however often this is called."""
        super().came(size, files)
        self._bar.update(self._task, completed=self.bytes, files=self.files)

    def end(self) -> None:
        """Leave it on the screen."""
        self._bar.stop()


def fitting(*, terminal: bool, quiet: bool, say: Callable[[str], None]) -> Progress:
    """The one for where it is read."""
    if quiet:
        return Progress()
    return Bar() if terminal else Lines(say)
