"""The `fill` lines of a scenario → small file systems that are as full as it says. Needs root; elsewhere nothing.

`fill NAME MEBIBYTES PERCENT` is a tmpfs at FOLDER/NAME with one file in it; PERCENT may move (moving.py). The
scenario's proc/mounts tells the exporter of it as of a device's, since a tmpfs is nothing that it watches.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from lab.gb10.moving import text_at

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lab.gb10.statements import Fill

MEBIBYTE = 1 << 20
BALLAST = "ballast"


def ensure(folder: Path, fills: Iterable[Fill], age_s: float) -> None:
    """Mount and fill what the scenario has, unmount what it has not."""
    if os.geteuid() != 0:
        return
    wanted = {folder / fill.name: fill for fill in fills}
    for mounted in set(mounts(folder)) - {*wanted}:
        if subprocess.run(["umount", str(mounted)], check=False).returncode == 0:
            mounted.rmdir()
    for place, fill in wanted.items():
        if not place.is_mount():
            place.mkdir(parents=True, exist_ok=True)
            options = f"size={fill.mebibytes}m,mode=755"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "simulated", str(place)], check=True)
        resize(place / BALLAST, int(fill.mebibytes * MEBIBYTE * float(text_at(fill.percent, age_s)) / 100))


def mounts(folder: Path) -> list[Path]:
    """Where this module has mounted something."""
    return [path for path in folder.iterdir() if path.is_mount()] if folder.is_dir() else []


def resize(file: Path, size: int) -> None:
    """Make a file really take so much room."""
    with file.open("ab") as opened:
        if opened.tell() > size:
            opened.truncate(size)
        elif opened.tell() < size:
            os.posix_fallocate(opened.fileno(), 0, size)
