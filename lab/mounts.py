"""The kernel's list of mounts → those below a folder, and their end."""

from __future__ import annotations

import re
from pathlib import Path

from lab import shell

TABLE = Path("/proc/self/mountinfo")


def parse(table: str) -> list[Path]:
    """The mount points in a mountinfo table, in the order in which they were made; octal escapes resolved."""
    points = [line.split()[4] for line in table.splitlines()]
    return [Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), point)) for point in points]


def below(folder: Path) -> list[Path]:
    """Mount points at or below the folder, the latest first."""
    return [p for p in reversed(parse(TABLE.read_text())) if p.is_relative_to(folder)]


def unmount(folder: Path) -> None:
    """Unmount all at and below the folder; one that is still in use is detached and goes when its user goes."""
    for point in below(folder):
        shell.run("umount", point, check=False)
    for point in below(folder):
        shell.run("umount", "--lazy", point)
