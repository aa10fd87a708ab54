"""A stand-in → a control-group tree of its own on a machine whose first process is not systemd.

With systemd there, each systemd-nspawn gets a scope. Without it, nspawn builds the stand-in's tree below the group that
it is started in, and all stand-ins of a machine share `payload/system.slice/NAME.service`: a stop in one of them waits
for the processes of the others, and a reload fails now and then with 219/CGROUP because another one tidied up.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.instance import Instance

SYSTEMD_RUNS = Path("/run/systemd/system")
ROOT = Path("/sys/fs/cgroup")
DIES_WITHIN_S = 10.0
ENTER = 'for group in $0; do mkdir -p "$group" && echo $$ > "$group/cgroup.procs" || exit 1; done; exec "$@"'


def entering(instance: Instance, host: str) -> list[str]:
    """What goes before the words that boot the stand-in; nothing where systemd takes care of it."""
    if SYSTEMD_RUNS.exists():
        return []
    return ["/bin/sh", "-c", ENTER, " ".join(str(h / _name(instance, host)) for h in hierarchies())]


def hierarchies() -> list[Path]:
    """Where systemd keeps its groups: in version 1 its own hierarchy and the unified one, else the only one."""
    return [folder for folder in (ROOT / "systemd", ROOT / "unified") if folder.is_dir()] or [ROOT]


def clear(instance: Instance, host: str = "*") -> None:
    """End what is left in the groups of a stand-in, or of all of the lab's.

    A systemd-nspawn that was killed while it started leaves the stand-in's first process to itself: it would go on
    serving beside its successor, unseen. Raises LabError when a process does not die.
    """
    until = time.monotonic() + DIES_WITHIN_S
    while left := sorted(set(_processes(instance, host))):
        if time.monotonic() > until:
            raise LabError(f"processes of {instance.name} do not die: {', '.join(map(str, left))}")
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _processes(instance: Instance, host: str) -> Iterator[int]:
    for hierarchy in hierarchies():
        for group in hierarchy.glob(_name(instance, host)):
            for folder, _, _ in os.walk(group):  # not rglob: a group that goes away meanwhile is an error to it
                with contextlib.suppress(OSError):
                    processes = (Path(folder) / "cgroup.procs").read_text().split()
                    yield from (int(pid) for pid in processes if pid != "0")  # 0: not ours to see


def remove(instance: Instance) -> None:
    """End what is left in the groups of the lab's stand-ins, and remove them."""
    clear(instance)
    for hierarchy in hierarchies():
        for group in hierarchy.glob(_name(instance, "*")):
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()


def _name(instance: Instance, host: str) -> str:
    return f"sf-{instance.name}-{host}"
