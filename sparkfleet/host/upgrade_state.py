"""An upgrade under way ↔ a file of the controller: whole at every moment, one run at a time.

<controller.folder>/upgrade/<fleet>.upgrade.json, and .reboot.json for a round of reboots.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from sparkfleet import secrets
from sparkfleet.errors import LockedError, UpgradeError
from sparkfleet.host.upgrade import Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sparkfleet.host.upgrade import Kind
    from sparkfleet.model import Fleet


def file(fleet: Fleet, kind: Kind) -> Path:
    """Where the last run of this kind stands."""
    return fleet.controller.folder / "upgrade" / f"{fleet.fleet}.{kind}.json"


def read(fleet: Fleet, kind: Kind) -> Run | None:
    """The last run, finished or not; None when there was none. Raises UpgradeError when it cannot be read."""
    path = file(fleet, kind)
    try:
        return Run.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UpgradeError(
            f"how far the last {kind} came cannot be read: {path}.",
            usually="the file was edited, or another version of sparkfleet wrote it.",
            next_step=f"look at the hosts; then begin anew: `spark {kind} --anew`.",
        ) from error


def write(fleet: Fleet, run: Run) -> None:
    """On disk when this returns; a reader, and a run after a power cut, sees the old state or this one."""
    # Written as secrets are: atomically, for us alone. It holds none.
    secrets.write(file(fleet, run.kind), run.model_dump_json(indent=1) + "\n")


@contextlib.contextmanager
def alone(fleet: Fleet, kind: Kind) -> Iterator[None]:
    """Nobody else on this controller runs such a thing for this fleet; raises LockedError. A kill gives it back."""
    path = file(fleet, kind).with_suffix(".lock")
    path.parent.mkdir(mode=secrets.FOLDER_MODE, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, secrets.FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LockedError(
                f"another `spark {kind}` of this fleet is under way on this controller.",
                next_step=f"wait until it ends; `spark {kind} --status` shows how far it is.",
            ) from error
        yield
    finally:
        os.close(descriptor)
