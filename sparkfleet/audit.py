"""What happened to a way in → one record of the fleet's audit log, and a copy where no host and no controller reach it.

The log is <controller.folder>/audit/<fleet>.jsonl (`sparkfleet.chain`); the copies are objects in a bucket with object
lock (`sparkfleet.cloud.trail`). It holds fingerprints and key ids: a secret has no field and, by its form, no way in.
docs/decisions/0017-audit.md says what the log proves and what it does not.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import re
import secrets as randomness
import socket
import time
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Literal

from sparkfleet import audit_check, chain
from sparkfleet.errors import SparkfleetError
from sparkfleet.forms import HOST_NAME
from sparkfleet.secrets import FILE_MODE, FOLDER_MODE
from sparkfleet.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.audit_check import Disagreement
    from sparkfleet.cloud.trail import Trail
    from sparkfleet.model import Fleet

Kind = Literal[
    "adopt",
    "lockdown",
    "rotate-ssh",
    "rotate-host-keys",
    "rotate-s3",
    "rotate-tailnet",
    "retire",
    "reset",
    "guard-restored",
    "upgrade",
    "reboot",
]
MOST_DETAIL = 200
WORD = re.compile(r"[a-z][a-z0-9-]{0,31}")
IDENTIFIER = re.compile(
    r"(SHA256:[A-Za-z0-9+/]{43}"  # an SSH key, as ssh-keygen -l prints it
    r"|sha256:[0-9a-f]{64}"
    r"|nodekey:[0-9a-f]{64}"  # a tailnet's node, its public half
    r"|(?!tskey-)[A-Za-z0-9][A-Za-z0-9._-]{0,31})"  # an access key's id; a secret key has 40 characters
)
LONG_WORD = re.compile(r"[A-Za-z0-9+/=_:-]{32,}")

SILENCE_S = 30.0
"""After a store did not answer, a run asks it again only so much later: a rotation must not wait at each step."""

_silent_until = 0.0


def record(  # noqa: PLR0913  (the fields of a record)
    fleet: Fleet, host: str, kind: Kind, outcome: str, *, old: str = "", new: str = "", detail: str = ""
) -> None:
    """Append one record, on disk when this returns, and try to ship it; what cannot be shipped now is shipped later.

    `old` and `new` are fingerprints or key ids, several with a blank between. Raises ValueError for a text that is
    neither, and SparkfleetError when the log cannot be written: then do not go on with what was to be recorded.
    """
    told = {"host": host, "kind": kind, "outcome": outcome, "old": old, "new": new, "detail": _bounded(detail)}
    _check(told)
    chain.append(log_file(fleet), {**told, "fleet": fleet.fleet, "who": _who(), "run": _run()})
    _ship_if_possible(fleet)


def log_file(fleet: Fleet) -> Path:
    """Where the fleet's log is."""
    return fleet.controller.folder / "audit" / f"{fleet.fleet}.jsonl"


def ship(fleet: Fleet) -> int:
    """Copy every record that has no copy yet, in order; how many were copied.

    Without an object store there is nothing to do. Raises StoreError when the store refuses or does not answer, or
    when the controller holds no key for it yet.
    """
    return _ship(fleet, patient=True)


def ship_waiting(fleet: Fleet) -> None:
    """Copy what waits, an adoption's records for example, which were there before the store; never raises.

    What the store does not take now goes on waiting.
    """
    if fleet.cloud.provider != "none" and backlog(fleet):
        _ship_if_possible(fleet)


def backlog(fleet: Fleet) -> int:
    """How many records wait to be shipped, as far as this controller knows."""
    lines = chain.read_lines(log_file(fleet))
    return sum(chain.parsed(line) is not None for line in lines[_shipped(_marker(fleet)) :])


def verify(fleet: Fleet) -> list[Disagreement]:
    """What does not agree: within the log and, where there is an object store, between it and its copies.

    Raises StoreError when the store does not answer and the log alone shows nothing.
    """
    lines = chain.read_lines(log_file(fleet))
    found = audit_check.check_chain(lines)
    if fleet.cloud.provider == "none":
        return found
    from sparkfleet.cloud import trail

    try:
        copies = trail.of(fleet).copies()
    except SparkfleetError:
        if found:
            return found
        raise
    retained = timedelta(days=fleet.cloud.audit_retention_days)
    return found + audit_check.compare(lines, copies, trail.name, _shipped(_marker(fleet)), retained)


def _ship_if_possible(fleet: Fleet) -> None:
    global _silent_until  # noqa: PLW0603  (one store a process)
    if time.monotonic() < _silent_until:
        return
    try:
        _ship(fleet, patient=False)
    except SparkfleetError:
        # Not worth failing for: the record is on disk, and `spark audit` shows what waits.
        _silent_until = time.monotonic() + SILENCE_S


def _ship(fleet: Fleet, *, patient: bool) -> int:
    if fleet.cloud.provider == "none":
        return 0
    from sparkfleet.cloud import trail  # boto3 costs half a second: only where there is a store

    found: Trail = trail.of(fleet, patient=patient)
    marker = _marker(fleet)
    marker.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    descriptor = os.open(marker, os.O_RDWR | os.O_CREAT, FILE_MODE)
    count = 0
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        lines = chain.read_lines(log_file(fleet))
        for number in range(_shipped(marker), len(lines)):
            made = chain.parsed(lines[number])
            if made:  # a torn line has no name to go by; the next record's digest covers it
                found.add(trail.name(made), lines[number])
                count += 1
            os.pwrite(descriptor, f"{number + 1:012d}\n".encode(), 0)
    finally:
        os.close(descriptor)
    return count


def _marker(fleet: Fleet) -> Path:
    return log_file(fleet).with_suffix(".shipped")


def _shipped(marker: Path) -> int:
    """How many lines have been dealt with; a marker that cannot be read costs only another try of each."""
    try:
        return int(marker.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


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


def _bounded(text: str) -> str:
    """Prose in bounds: nothing that steers a terminal, and no word so long that it may be a secret."""
    shown = LONG_WORD.sub(lambda word: word[0] if IDENTIFIER.fullmatch(word[0]) else "(left out)", text)
    return printable(shown, MOST_DETAIL)


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
    return _bounded(f"{user}@{socket.gethostname()}")
