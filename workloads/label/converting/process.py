"""A folder and limits → a worker process; what it said, what it weighs, and how its end is to be told."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import workloads
from workloads.label.records import Why

if TYPE_CHECKING:
    from workloads.label.converting.messages import Reader, Task
    from workloads.label.converting.worker import Settings

CAGE = "cage"
NO_MEMORY = ("bad_alloc", "MemoryError", "annot allocate memory", "out of memory", "DefaultCPUAllocator")
NEARLY_FULL = 0.7
LAST_WORDS_BYTES = 4000
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
CODE = Path(workloads.__file__).resolve().parents[1]  # the folder, or the zipapp, that `workloads` lies in


@dataclass(frozen=True)
class Limits:
    """What one worker may use."""

    memory_bytes: int
    timeout_s: float
    recycle: int
    threads: int


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
    process: subprocess.Popen[bytes]
    folder: Path
    network: bool
    warm: set[Reader] = field(default_factory=set)
    doing: Task | None = None
    due: float = 0.0
    began: float = 0.0  # when it was asked
    tasks: int = 0
    expect: deque[str] = field(default_factory=deque)  # what it will tell before it can begin
    heard: bytearray = field(default_factory=bytearray)
    peak_bytes: int = 0

    @property
    def ear(self) -> int:
        """The descriptor on which it answers."""
        assert self.process.stdout is not None  # noqa: S101  (Popen was given a pipe)
        return self.process.stdout.fileno()

    @property
    def said(self) -> str:
        """The end of what it and its libraries printed."""
        with (self.folder.with_suffix(".log")).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - LAST_WORDS_BYTES))
            return log.read().decode(errors="replace")

    def tell(self, words: str) -> None:
        """One line to it; a dead one is found out when it is listened to."""
        assert self.process.stdin is not None  # noqa: S101  (Popen was given a pipe)
        try:
            self.process.stdin.write(words.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return

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

    def end(self) -> None:
        """Kill it; what it said stays."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # it leads its group; its number is ours until we wait
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

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


def start(number: int, folder: Path, settings: Settings) -> Worker:
    """A worker in a folder of its own, which is made; it closes its cage and tells so."""
    folder.mkdir()
    command = [sys.executable, "-P", "-m", "workloads.label.converting.worker", settings.model_dump_json()]
    with folder.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=folder,
            env=environment(folder, settings.threads), start_new_session=True,
        )  # fmt: skip
    worker = Worker(number, process, folder, bool(settings.endpoint), expect=deque([CAGE]))
    os.set_blocking(worker.ear, False)
    return worker


def own_death(worker: Worker, most_bytes: int) -> Death:
    """Why it died: what it said last, the signal, and what it weighed.

    Programs in C++ that are refused memory end themselves by some signal, each by another one.
    """
    code, weighed = worker.process.returncode, f"{worker.peak_bytes >> 20} of {most_bytes >> 20} MiB"
    how = signal.Signals(-code).name if code < 0 else f"exit {code}"
    full = worker.peak_bytes > NEARLY_FULL * most_bytes and how != "SIGKILL"
    if full or any(word in worker.said for word in NO_MEMORY):
        return Death(Why.MEMORY, f"it wants more memory than a worker may have ({how} at {weighed})", ours=True)
    return Death(Why.CRASHED, f"the worker died: {how}, at {weighed}", ours=how != "SIGKILL")


def environment(folder: Path, threads: int) -> dict[str, str]:
    """Nothing of ours: no keys, no proxies; libraries write into the folder and ask no server."""
    own = {name: os.environ[name] for name in ("LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES") if name in os.environ}
    return own | {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(CODE),
        "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder),
        "OMP_NUM_THREADS": str(threads), "ARROW_DEFAULT_MEMORY_POOL": "system", "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
