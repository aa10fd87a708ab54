"""Whatever exists of a lab → nothing: after a crash, a kill, or when another checkout made it.

Order matters: what uses a thing goes before the thing. Safe to repeat; only what the lab itself recorded or named is
touched.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab import cache, mounts, network, record
from lab.instance import CHECKOUT, OCTETS, Instance

COMING_UP = "up"  # the label under which a running `up` is recorded


def existing() -> list[str]:
    """The names of the labs of which anything is left on this machine, besides files in other checkouts."""
    recorded = {p.name for p in record.RUN.iterdir() if p.is_dir()} if record.RUN.is_dir() else set()
    links, tables = network.links(), network.tables()
    found = []
    for name in OCTETS:
        instance = Instance.named(name)
        if name in recorded or instance.bridge in links or instance.table in tables or instance.folder.exists():
            found.append(name)
    return found


def down(name: str) -> None:
    """Remove the lab of that name, wherever its checkout is. Raises LabError when a process does not die."""
    instance = _as_made(name)
    if record.alive(instance, COMING_UP) != os.getpid():
        record.stop(instance, COMING_UP)  # first: it would go on making what is removed below
    record.stop(instance, *record.labels(instance))
    mounts.unmount(instance.folder)
    others = [other for other in existing() if other != name and record.folder(Instance.named(other)).exists()]
    network.down(instance, last=not others)
    shutil.rmtree(instance.folder, ignore_errors=True)
    shutil.rmtree(record.folder(instance), ignore_errors=True)
    _tidy(instance.folder.parent)
    _tidy_building()


def _as_made(name: str) -> Instance:
    """The instance with the folder of the checkout that made it."""
    owner = record.folder(Instance.named(name)) / "checkout"
    return Instance.named(name, Path(owner.read_text()) if owner.exists() else CHECKOUT)


def _tidy(folder: Path) -> None:
    """Remove the folder of all labs with the last lab in it."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _tidy_building() -> None:
    """Remove half-built trees of a killed `up`; one that is being built right now is locked and stays."""
    building = cache.root() / "building"
    for partial in building.iterdir() if building.is_dir() else ():
        with cache.try_lock(partial.name) as free:
            if free:
                shutil.rmtree(partial, ignore_errors=True)
