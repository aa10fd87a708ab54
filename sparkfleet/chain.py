"""A log of chained records: one canonical JSON document a line, each with the SHA-256 of the line before.

The chain shows what was removed from the middle, changed or reordered. What was cut off at the end, or written anew as
a whole, only copies elsewhere show (`sparkfleet.audit` ships them).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import SparkfleetError
from sparkfleet.secrets import FILE_MODE, FOLDER_MODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

BEGINNING = "0" * 64
"""What stands as `previous` in the first record."""


@dataclass(frozen=True)
class Record:
    """One line. `torn`: the line before it was cut off by a crash; it was left as it is."""

    seq: int
    at: str
    who: str
    run: str
    fleet: str
    host: str
    kind: str
    outcome: str
    old: str
    new: str
    detail: str
    previous: str
    torn: bool = False

    def line(self) -> str:
        """The record's one form, without a line break: keys sorted, no blanks, ASCII."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Fault:
    """Something that an honest log does not have; `number` counts lines from 1."""

    number: int
    what: str


def append(file: Path, told: Mapping[str, str]) -> Record:
    """Add a record with the fields `told` (all but the chain's own) to `file`, under its lock; on disk afterwards.

    Raises SparkfleetError when that fails.
    """
    try:
        file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            made, text = _following(file.read_bytes(), told)
            written = os.write(descriptor, text)
            os.fsync(descriptor)
            if made.seq == 0:
                _sync_folder(file.parent)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unwritable(file, error.strerror or str(error)) from error
    if written != len(text):
        raise _unwritable(file, "only a part of the line was taken")
    return made


def read_lines(file: Path) -> list[str]:
    """The log's lines, a torn one at the end included, never a half that is being written; none without a log."""
    try:
        with file.open("rb") as log:
            fcntl.flock(log, fcntl.LOCK_SH)
            return _split(log.read())
    except FileNotFoundError:
        return []


def parsed(line: str) -> Record | None:
    """The line as a record; None when it is none: torn, or not of our making."""
    try:
        values: Any = json.loads(line)
        made = Record(**values)
    except (ValueError, TypeError):
        return None
    kinds = {"seq": int, "torn": bool}
    sound = all(type(getattr(made, f.name)) is kinds.get(f.name, str) for f in fields(Record))
    return made if sound and made.line() == line else None


def digest(line: str) -> str:
    """The SHA-256 of a line, as `previous` of the next one holds it."""
    return hashlib.sha256(line.encode(errors="surrogateescape")).hexdigest()


def verify_chain(lines: Iterable[str]) -> list[Fault]:
    """What shows that lines were removed, changed or reordered; an honest log has none, torn lines included.

    A line that is no record is honest where the next record says that it found it torn, or where nothing follows yet.
    """
    return list(_faults(list(lines)))


def _faults(lines: list[str]) -> Iterator[Fault]:
    previous, torn_before = BEGINNING, False
    for number, line in enumerate(lines, start=1):
        made = parsed(line)
        if made is None:
            if torn_before:
                yield Fault(number - 1, "is no record, and no crash leaves two such lines in a row")
        else:
            if made.previous != previous:
                yield Fault(number, f"does not follow line {number - 1}: a line was removed, changed or moved")
            if made.seq != number - 1:
                yield Fault(number, f"is record {made.seq} in the place of record {number - 1}")
            if made.torn != torn_before:
                yield Fault(number, "does not agree with the line before on whether that was torn")
        previous, torn_before = digest(line), made is None


def _following(content: bytes, told: Mapping[str, str]) -> tuple[Record, bytes]:
    """The record that comes after `content`, and the bytes to append; a torn last line is ended first."""
    lines = _split(content)
    before = lines[-1] if lines else None
    made = Record(
        seq=len(lines),
        at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        previous=BEGINNING if before is None else digest(before),
        torn=before is not None and parsed(before) is None,
        **told,
    )
    unfinished = bool(content) and not content.endswith(b"\n")
    return made, (b"\n" if unfinished else b"") + made.line().encode() + b"\n"


def _split(content: bytes) -> list[str]:
    text = content.decode(errors="surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(file: Path, why: str) -> SparkfleetError:
    return SparkfleetError(
        f"the audit log {file} could not be written: {why}",
        usually="the disk is full, or the controller's folder belongs to another user",
        next_step=f"make room and {file.parent} writable for this user, then run the same command again",
    )
