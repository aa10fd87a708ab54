"""Every way spark-node can fail, as one small tree → one exit code each; where `spark` has the same way, its number.

NodeError                  1   a fault of ours, or one without a name of its own
├── ConfigError            3   a configuration file or an argument cannot be used
├── StoreError             9   the object store refused, or did not answer for long
├── LockedError           10   another run is at it
├── DamagedError          20   data are not what their manifest says; what was there before is served
├── NoRoomError           21   the disk is full, or would be; what was there before is served
├── ServiceError          22   Label Studio or Calypso refused, or did not answer for long
├── GateError             23   a candidate may not serve, an image may not run; what runs goes on
└── MissingModelError     24   the files of a model are not where they are looked for
"""

from __future__ import annotations

import errno
import os

OK = 0
USAGE = 2  # click's own
INTERRUPTED = 130
UNREAD = 141  # who read the output left before its end; 128 and SIGPIPE, as of any program in a pipe
MOST_CHARACTERS = 300
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class NodeError(Exception):
    """What happened; `usually` says what it mostly means, `next_step` what to do about it."""

    exit_code = 1

    def __init__(self, what: str, *, usually: str = "", next_step: str = "") -> None:
        """Keep the three parts apart, so that `--json` can tell them one by one."""
        self.what, self.usually, self.next_step = what, usually, next_step
        super().__init__(str(self))

    def __str__(self) -> str:
        """One paragraph, as the journal and a terminal show it."""
        parts = [self.what]
        if self.usually:
            parts.append(f"This usually means: {self.usually}")
        if self.next_step:
            parts.append(f"Next: {self.next_step}")
        return "\n  ".join(parts)


class ConfigError(NodeError):
    """A configuration file or an argument cannot be used."""

    exit_code = 3


class StoreError(NodeError):
    """The object store refused a request, or did not answer for long."""

    exit_code = 9


class LockedError(NodeError):
    """Another run is at it; the message says which."""

    exit_code = 10


class DamagedError(NodeError):
    """Data are not what their manifest says: damaged on the way or at rest, or replaced since they were published."""

    exit_code = 20


class NoRoomError(NodeError):
    """The disk is full, or would be with less than the wanted floor of free space."""

    exit_code = 21


class ServiceError(NodeError):
    """Label Studio or Calypso refused a request, or did not answer for long."""

    exit_code = 22


class GateError(NodeError):
    """A candidate may not serve, an image may not run, or did not prove itself; what runs goes on."""

    exit_code = 23


class MissingModelError(NodeError):
    """The files of a model are not where they are looked for."""

    exit_code = 24


def disk_full() -> OSError:
    """What the system would have said to us, of a disk that another process found full."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def printable(text: str, most: int = MOST_CHARACTERS) -> str:
    """One line of at most `most` characters, without what could steer a terminal: for text from outside."""
    kept = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return kept if len(kept) <= most else f"{kept[: most - 1]}…"
