"""What happened to a way in → one line of the fleet's audit log, chained to the line before and shipped out of reach.

The log is <controller.folder>/audit/<fleet>.jsonl: canonical JSON, one record a line, `previous` is the SHA-256 of the
line before. It holds fingerprints and key ids; a secret has no field and, by its form, no way in. The chain shows what
was removed from the middle, changed or reordered; what was cut off at the end, or written anew as a whole, only the
shipped objects show (`sparkfleet.cloud.trail`, docs/decisions/0017-audit.md).
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import re
import secrets as randomness
import socket
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from sparkfleet.errors import SparkfleetError
from sparkfleet.forms import HOST_NAME
from sparkfleet.secrets import FILE_MODE, FOLDER_MODE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sparkfleet.model import Fleet

Kind = Literal[
    "adopt",
    "lockdown",
    "rotate-ssh",
    "rotate-host-keys",
    "rotate-s3",
    "rotate-tailnet",
    "retire",
    "guard-restored",
]
BEGINNING = "0" * 64
"""What stands as `previous` in the first record."""

MOST_DETAIL = 200
WORD = re.compile(r"[a-z][a-z0-9-]{0,31}")
IDENTIFIER = re.compile(
    r"(SHA256:[A-Za-z0-9+/]{43}"  # an SSH key, as ssh-keygen -l prints it
    r"|sha256:[0-9a-f]{64}"
    r"|nodekey:[0-9a-f]{64}"  # a tailnet's node, its public half
    r"|(?!tskey-)[A-Za-z0-9][A-Za-z0-9._-]{0,31})"  # an access key's id; a secret key has 40 characters
)
LONG_WORD = re.compile(r"[A-Za-z0-9+/=_:-]{32,}")


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


def record(  # noqa: PLR0913  (the fields of a record)
    fleet: Fleet, host: str, kind: Kind, outcome: str, *, old: str = "", new: str = "", detail: str = ""
) -> None:
    """Append one record, on disk when this returns, and try to ship it; what cannot be shipped now is shipped later.

    `old` and `new` are fingerprints or key ids, several with a blank between. Raises ValueError for a text that is
    neither, and SparkfleetError when the log cannot be written: then do not go on with what was to be recorded.
    """
    told = {"host": host, "kind": kind, "outcome": outcome, "old": old, "new": new, "detail": _plain(detail)}
    _check(told)
    append(log_file(fleet), fleet.fleet, told)


def log_file(fleet: Fleet) -> Path:
    """Where the fleet's log is."""
    return fleet.controller.folder / "audit" / f"{fleet.fleet}.jsonl"


def append(file: Path, fleet: str, told: dict[str, str]) -> Record:
    """Add one record to `file` under its lock. Raises SparkfleetError when that fails."""
    try:
        file.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            made, text = _following(file.read_bytes(), fleet, told)
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
    """The log's lines, a torn one at the end included; none when there is no log yet."""
    try:
        return _split(file.read_bytes())
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


def _following(content: bytes, fleet: str, told: dict[str, str]) -> tuple[Record, bytes]:
    """The record that comes after `content`, and the bytes to append; a torn last line is ended first."""
    lines = _split(content)
    before = lines[-1] if lines else None
    made = Record(
        seq=len(lines),
        at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        who=_who(),
        run=_run(),
        fleet=fleet,
        previous=BEGINNING if before is None else digest(before),
        torn=before is not None and parsed(before) is None,
        **told,
    )
    unfinished = bool(content) and not content.endswith(b"\n")
    return made, (b"\n" if unfinished else b"") + made.line().encode() + b"\n"


def _split(content: bytes) -> list[str]:
    text = content.decode(errors="surrogateescape")
    return text.removesuffix("\n").split("\n") if text else []


def _check(told: dict[str, str]) -> None:
    """Raises ValueError, without quoting what may be a secret, for a field that is not of its form."""
    if told["host"] and not HOST_NAME.fullmatch(told["host"]):
        raise ValueError("host: expected a host's name")
    for name in ("kind", "outcome"):
        if not WORD.fullmatch(told[name]):
            raise ValueError(f"{name}: expected a word of lower-case letters, digits and hyphens")
    for name in ("old", "new"):
        if told[name] and not all(IDENTIFIER.fullmatch(word) for word in told[name].split(" ")):
            raise ValueError(f"{name}: expected fingerprints or key ids")


def _plain(text: str) -> str:
    """Prose in bounds: nothing that steers a terminal, and no word so long that it may be a secret."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    shown = LONG_WORD.sub(lambda word: word[0] if IDENTIFIER.fullmatch(word[0]) else "(left out)", printable)
    return shown[:MOST_DETAIL]


@cache
def _run() -> str:
    """One name for all that this process records."""
    return randomness.token_hex(4)


def _who() -> str:
    """The person and the machine, as far as the machine says."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user id that has no name
        user = str(os.getuid())
    return _plain(f"{user}@{socket.gethostname()}")


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
