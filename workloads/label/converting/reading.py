"""Cases (a document and what triage saw of it) → records, slice by slice, several documents at a time.

A slice that a vision model behind an endpoint reads takes three steps, so that whoever opens a document has no
network, and whoever has one opens no document: pictures of its pages, what the endpoint says of them, parts.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.errors import disk_full
from workloads.label.converting import judge
from workloads.label.converting.ending import Ending
from workloads.label.converting.messages import Answer, Reader, Task
from workloads.label.converting.process import Death
from workloads.label.converting.shelf import Read

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.converting.desk import Desk
    from workloads.label.converting.messages import Seen
    from workloads.label.converting.plan import Progress, Slice
    from workloads.label.converting.pool import Pool
    from workloads.label.converting.process import Worker
    from workloads.label.records import Document
    from workloads.label.stages import Tell

FIRST_STEP = {Reader.ENDPOINT: Reader.RENDER}
NEXT_STEP = {Reader.RENDER: Reader.ENDPOINT, Reader.ENDPOINT: Reader.DOCTAGS}


@dataclass
class Case:
    """One document on its way."""

    document: Document
    seen: Seen
    progress: Progress
    reads: list[Read]


@dataclass
class Step:
    """What a worker does for a slice; `carried` are files that the step before has left."""

    case: Case
    piece: Slice
    reader: Reader
    seconds: float  # of the steps before
    carried: list[Path]


class Reading:
    """All slices of a batch."""

    def __init__(self, desk: Desk, pool: Pool, most_staged: int, tell: Tell) -> None:
        self._desk, self._pool, self._most_staged, self._tell = desk, pool, most_staged, tell
        self._running: dict[int, Step] = {}
        self._further: list[Step] = []
        self._ready: list[Case] = []  # copied, while all workers were busy
        self._carried = 0
        self.pages = 0

    def run(self, cases: list[Case]) -> None:
        """Until every case has its record; raises NodeError when workers cannot start."""
        self._total, self._began = sum(case.progress.pages for case in cases), time.monotonic()
        waiting, opened = list(cases), list[Case]()
        while waiting or opened or self._ready:
            while step := self._next(waiting, opened):
                self._begin(step)
            if self._running and len(self._ready) < self._most_staged and (case := self._copied(waiting, opened)):
                self._ready.append(case)
            for worker, end in self._pool.ended() if self._running else ():
                self._ended(self._running.pop(worker.number), worker, end)
            for case in [each for each in opened if each.progress.ended]:
                self._desk.put_down(Ending(
                    case.document, case.seen, case.reads, case.progress.failed, case.progress.tried
                ))  # fmt: skip
                self._staged(case).unlink(missing_ok=True)
                opened.remove(case)

    def _next(self, waiting: list[Case], opened: list[Case]) -> Step | None:
        """The next step of a slice that was begun, the next slice of an open document, or the next document's first."""
        for step in self._further:
            if self._pool.free(step.reader):
                self._further.remove(step)
                return step
        if not self._pool.free(Reader.TRIAGE):
            return None
        case = next((each for each in opened if each.progress.waiting), None)
        if case is None:
            case = self._ready.pop(0) if self._ready else self._copied(waiting, opened)
            if case is None:
                return None
            opened.append(case)
        piece = case.progress.begin()
        return Step(case, piece, FIRST_STEP.get(piece.readers[0], piece.readers[0]), 0.0, [])

    def _copied(self, waiting: list[Case], opened: list[Case]) -> Case | None:
        """The next document that is there, in a file of ours; None when there are no more."""
        while waiting:
            new = waiting.pop(0)
            if not new.progress.waiting:
                opened.append(new)  # an earlier run has read all of it
            elif self._desk.copy(new.document, self._staged(new)):
                return new
        return None

    def _begin(self, step: Step) -> None:
        worker = self._pool.worker(step.reader)
        name = f"input.{step.case.seen.format}"
        for file in step.carried:
            file.rename(worker.folder / file.name.partition("=")[2])
        if not step.carried:
            os.link(self._staged(step.case), worker.folder / name)
        self._running[worker.number] = step
        self._pool.give(worker, Task(
            reader=step.reader, file=name, name=step.case.seen.format, first=step.piece.first, last=step.piece.last
        ))  # fmt: skip

    def _ended(self, step: Step, worker: Worker, end: Answer | Death) -> None:
        case, piece = step.case, step.piece
        step.seconds += worker.seconds
        if isinstance(end, Death):
            if not end.ours and self._desk.killed(f"{case.document.id} {piece}"):
                case.progress.again(piece)
            else:
                case.progress.fail(piece, end.why, end.detail)
        elif end.no_room:
            raise disk_full()
        elif not end.why and step.reader in NEXT_STEP:
            carried = [self._carry(worker.folder / name) for name in end.files]
            self._further.append(Step(case, piece, NEXT_STEP[step.reader], step.seconds, carried))
        else:
            self._judge(step, worker, end)
        self._pool.release(worker)
        self._progress(case)

    def _judge(self, step: Step, worker: Worker, answer: Answer) -> None:
        case, piece = step.case, step.piece
        verdict = judge.judged(piece, answer)
        if verdict.parts is None:
            case.progress.fail(piece, verdict.why, verdict.detail)
            return
        if answer.files:
            self._desk.shelf.rows(case.document.id, plain(worker.folder / answer.files[0]))
        read = Read(
            first=piece.first, last=piece.last, reader=piece.readers[0], parts=verdict.parts, failed=verdict.lost,
            notes=answer.notes, seconds=round(step.seconds, 3), settings=self._desk.shelf.settings,
        )  # fmt: skip
        self._desk.shelf.keep(case.document.id, read)
        case.reads.append(read)
        case.progress.read(piece, verdict.lost, verdict.why, verdict.detail)
        self.pages += piece.last - piece.first + 1

    def _carry(self, file: Path) -> Path:
        """Out of a worker's folder, before that is emptied."""
        self._carried += 1
        return plain(file).rename(self._desk.scratch / f"carried-{self._carried}={file.name}")

    def _staged(self, case: Case) -> Path:
        return self._desk.scratch / case.document.id

    def _progress(self, case: Case) -> None:
        rate = self.pages / max(0.001, time.monotonic() - self._began)
        left = f", {_span((self._total - self.pages) / rate)} left" if rate and self.pages else ""
        self._tell(min(self.pages, self._total), self._total, f"{rate:.1f} pages/s{left}: {case.document.path}")


def plain(file: Path) -> Path:
    """What a worker says that it left, if it is a file in its folder and not a way out of it; raises ValueError."""
    if file.name in {"", ".", ".."} or "/" in file.name or not stat.S_ISREG(file.lstat().st_mode):
        raise ValueError("a worker left something that is no file")
    return file


def _span(seconds: float) -> str:
    """For people."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"  # fmt: skip  # noqa: E501
