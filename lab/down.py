"""Whatever exists of a lab → nothing: after a crash, a kill, or when another checkout made it.

Order matters: what uses a thing goes before the thing. Safe to repeat; only what the lab itself recorded or named is
touched.
"""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from lab import cache, env, mounts, network, record, stack
from lab.imaging import engine
from lab.instance import BRIDGE, CHECKOUT, OCTETS, TABLE, Instance
from lab.spark import groups

COMING_UP = "up"  # the label under which a running `up` is recorded


def existing() -> list[str]:
    """The names of the labs of which anything is left on this machine, besides files in other checkouts."""
    names = [*record.instances(), *(p.name for p in CHECKOUT.glob(".lab/*/"))]
    names += [link.removeprefix(BRIDGE) for link in network.links() if link.startswith(BRIDGE)]
    names += [table.removeprefix(TABLE) for table in network.tables() if table.startswith(TABLE)]
    return sorted(set(names))


def down(name: str) -> None:
    """Remove the lab of that name, wherever its checkout is. Raises LabError when a process does not die."""
    instance = _as_made(name)
    record.stop(instance, COMING_UP)  # first: it would go on making what is removed below
    record.stop(instance, *record.labels(instance))
    for pid in running_from(env.tools(instance)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # its program and all it works on go away now
    engine.remove(instance)
    groups.remove(instance)
    mounts.unmount(instance.folder)
    stack.discard(instance)
    record.remove(instance)
    network.down(instance, last=not record.instances())
    shutil.rmtree(instance.folder, ignore_errors=True)
    _tidy(instance.folder.parent)
    cache.tidy()


def running_from(folder: Path) -> list[int]:
    """The processes whose program lies in the folder: Pulumi's language host outlives a killed engine by minutes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or is the kernel's own
            if (process / "exe").readlink().is_relative_to(folder):
                found.append(int(process.name))
    return found


def _as_made(name: str) -> Instance:
    """The instance with the folder of the checkout that made it. The octet plays no part in removing."""
    known = Instance(name, OCTETS.get(name, 0))
    return Instance(name, known.octet, record.owner(known) or CHECKOUT)


def _tidy(folder: Path) -> None:
    """Remove the folder of all labs with the last lab in it."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
