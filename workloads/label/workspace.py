"""A project's folder on a machine → its records, read and written whole; one run at a time.

documents.jsonl         Document           what fetch found, in the order of discovery
converted.jsonl         Converted          texts/<document>.txt and parquet/ beside it
quarantine.jsonl        Quarantined
items.jsonl             Item
predictions.jsonl       Prediction         the last one of each item counts
published.jsonl         Published
reviews.jsonl           Review             a snapshot of all there are, replaced by each collect
test-sets/<version>/    items.jsonl, reviews.jsonl; never changed once written
candidates/<run>/       card.json, evaluation.json, verdict.json, model.onnx, model/ (safetensors, tokenizer)
comparisons/<key>/      comparison.json; .models/<digest>/ what was trained for them
promotions.jsonl        Promotion
serving/<version>/      what Calypso serves, as fetched from its repository
runs/<run>/             run.json, report.html
roi.json                what the exporter reads
project/                project.toml and the files that it names, as they were kept last
kept.json               Kept               what became of keeping all this in the object store
lock
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from workloads.errors import DamagedError, LockedError, printable
from workloads.label.records import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

R = TypeVar("R", bound=Record)


class Workspace:
    """Everything of one project on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def busy(self) -> bool:
        """Whether somebody holds the project."""
        try:
            with self.path("lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def path(self, *parts: str) -> Path:
        """A path below the folder."""
        return self.folder.joinpath(*parts)

    def read(self, kind: type[R], name: str) -> list[R]:
        """Every record of `name`, empty when there is no such file; raises DamagedError with file and line.

        A last line without its end was being written when the machine died: it is left out, as if it had not begun.
        """
        file = self.path(name)
        try:
            data = file.read_bytes()
        except FileNotFoundError:
            return []
        lines = data.split(b"\n")[:-1]
        return [_parsed(kind, line, f"{file}, line {number}") for number, line in enumerate(lines, 1)]

    def one(self, kind: type[R], name: str) -> R | None:
        """The record in a file of its own; None when there is no such file, DamagedError for one that is no record."""
        try:
            data = self.path(name).read_bytes()
        except FileNotFoundError:
            return None
        return _parsed(kind, data, str(self.path(name)))

    def append(self, name: str, records: Iterable[Record]) -> None:
        """Add records, on the disk before this returns; what a dead writer left half-written is cut off first."""
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as out:
            _cut_half_line(out.fileno())
            out.write(lines(records))
            out.flush()
            os.fsync(out.fileno())

    def replace(self, name: str, records: Iterable[Record]) -> None:
        """Write the whole file anew; readers see the old one or the new one."""
        self.put(name, lines(records))

    def put(self, name: str, data: bytes) -> None:
        """Any other file, whole: readers see the old one or the new one."""
        file = self.path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            with partial.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self, what: str) -> Iterator[int]:
        """Hold the project by the descriptor that is handed out; raises LockedError that says who has it.

        The kernel lets go when every process that has the descriptor is gone.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path("lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise LockedError(
                    f"{self.folder.name}: another run is at it: {printable(lock.read() or 'it does not say which')}",
                    next_step="wait for it, or look at `spark-node label status`.",
                ) from None
            lock.truncate(0)
            lock.write(f"{what}, process {os.getpid()}")
            lock.flush()
            yield lock.fileno()
            lock.truncate(0)


def lines(records: Iterable[Record]) -> bytes:
    """A line each, as they lie in a file."""
    return b"".join(record.model_dump_json().encode() + b"\n" for record in records)


def _parsed(kind: type[R], line: bytes, place: str) -> R:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        raise DamagedError(
            f"{place}: {printable(f'{where}: ' + first['msg'])}",
            usually="the file was edited by hand, or written by a newer version.",
            next_step="put the file back from a backup, or move it away: the stage that wrote it makes it anew.",
        ) from None


def _cut_half_line(fd: int) -> None:
    """Whatever follows the last line's end."""
    size = os.fstat(fd).st_size
    keep = size
    while keep:
        step = min(keep, 65536)
        found = os.pread(fd, step, keep - step).rfind(b"\n")
        if found >= 0:
            keep = keep - step + found + 1
            break
        keep -= step
    if keep != size:
        os.ftruncate(fd, keep)
