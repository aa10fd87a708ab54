"""A worker process and its folder → what it said, what it weighs, and how its end is to be told."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.label.converting.serving import GONE
from workloads.label.records import Why

if TYPE_CHECKING:
    from workloads.label.converting.copies import Process
    from workloads.label.converting.messages import Reader, Task

NO_MEMORY = ("bad_alloc", "MemoryError", "annot allocate memory", "out of memory", "DefaultCPUAllocator")
NEARLY_FULL = 0.7
LAST_WORDS_BYTES = 4000
PAGE_BYTES = os.sysconf("SC_PAGESIZE")


@dataclass(frozen=True)
class Limits:
    """What one worker may use."""

    memory_bytes: int
    timeout_s: float
    recycle: int


@dataclass(frozen=True)
class Death:
    """How a worker ended over its task. `ours`: the task's fault, so that trying again would end the same."""

    why: Why
    detail: str
    ours: bool


@dataclass
class Worker:
    """One process and its folder."""

    number: int
    process: Process
    folder: Path
    network: bool
    warm: frozenset[Reader]
    generation: int  # of the models' server that it asks
    doing: Task | None = None
    due: float = 0.0
    began: float = 0.0  # when it was asked
    tasks: int = 0
    caged: bool = False  # it has told so
    heard: bytearray = field(default_factory=bytearray)
    peak_bytes: int = 0

    @property
    def said(self) -> str:
        """The end of what it and its libraries printed."""
        with (self.folder.with_suffix(".log")).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - LAST_WORDS_BYTES))
            return log.read().decode(errors="replace")

    def tell(self, words: str) -> None:
        """One line to it; a dead one is found out when it is listened to."""
        with contextlib.suppress(BrokenPipeError), os.fdopen(self.process.stdin, "wb", closefd=False) as tasks:
            tasks.write(words.encode() + b"\n")

    @property
    def seconds(self) -> float:
        """Since it was asked."""
        return time.monotonic() - self.began

    def weigh(self) -> int:
        """Bytes of memory that it has now; 0 when it is gone."""
        try:
            told = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()
            resident, data = int(told[1]) * PAGE_BYTES, int(told[5]) * PAGE_BYTES
        except (OSError, IndexError, ValueError):
            return 0
        self.peak_bytes = max(self.peak_bytes, resident, data)
        return resident

    def vanish(self) -> None:
        """Nothing of it is left."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.with_suffix(".log").unlink(missing_ok=True)

    def clear(self) -> None:
        """Empty its folder for the next task."""
        for entry in os.scandir(self.folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()
        os.truncate(self.folder.with_suffix(".log"), 0)


def own_death(worker: Worker, most_bytes: int) -> Death:
    """Why it died: what it said last, the signal, and what it weighed.

    Programs in C++ that are refused memory end themselves by some signal, each by another one.
    """
    code, weighed = worker.process.returncode or 0, f"{worker.peak_bytes >> 20} of {most_bytes >> 20} MiB"
    how = signal.Signals(-code).name if code < 0 else f"exit {code}"
    if code == GONE:
        return Death(Why.CRASHED, "the models' server gave no answer", ours=False)
    full = worker.peak_bytes > NEARLY_FULL * most_bytes and how != "SIGKILL"
    if full or any(word in worker.said for word in NO_MEMORY):
        return Death(Why.MEMORY, f"it wants more memory than a worker may have ({how} at {weighed})", ours=True)
    return Death(Why.CRASHED, f"the worker died: {how}, at {weighed}", ours=how != "SIGKILL")
