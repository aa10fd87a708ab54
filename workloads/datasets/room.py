"""Free space and a floor under it → which versions go, the one used longest ago first."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.datasets.config import NAME
from workloads.datasets.library import Shelf
from workloads.errors import NoRoomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Version:
    """One version that may go."""

    shelf: Shelf
    name: str
    used: float

    def __str__(self) -> str:
        return f"{self.shelf.folder.name} {self.name}"


def candidates(folder: Path, described: Iterable[str], kept: set[tuple[str, str]]) -> list[Version]:
    """What may go, the one used longest ago first.

    Never a version in `kept` (name, version), nor the one that a described data set serves.
    """
    described = set(described)
    found = []
    for name in sorted(each.name for each in os.scandir(folder) if each.is_dir() and NAME.fullmatch(each.name)):
        shelf = Shelf(folder / name)
        served = shelf.current() if name in described else None
        found += [
            Version(shelf, version, shelf.used(version))
            for version in shelf.versions()
            if version != served and (name, version) not in kept
        ]
    return sorted(found, key=lambda version: (version.used, str(version)))


def make(need: int, floor: int, going: list[Version], free: Callable[[], int]) -> list[Version]:
    """Evict until `need` bytes fit above the floor; those that went. Raises NoRoomError when nothing is left to go.

    What a version frees is measured after it went: versions share the files that did not change.
    """
    gone = []
    for version in going:
        if free() - need >= floor:
            break
        if version.shelf.evict(version.name):
            gone.append(version)
    if free() - need < floor:
        raise NoRoomError(
            f"{size(need)} are to come, {size(free())} are free, and {size(floor)} must stay free",
            usually="something else has filled the disk; no version is left that could go",
            next_step="free space, or lower datasets.keep_free; what was served before is served on.",
        )
    return gone


def free_bytes(folder: Path) -> int:
    """What an unprivileged program could still write on the folder's file system."""
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


def size(number: float) -> str:
    """A size for people: 1.4 GiB."""
    unit = 0
    while abs(number) >= 1024 and unit < len(UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.0f} {UNITS[unit]}" if unit == 0 else f"{number:.1f} {UNITS[unit]}"
