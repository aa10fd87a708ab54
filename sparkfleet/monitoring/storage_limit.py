"""The disk under Prometheus' data → RETENTION_SIZE=<n>MB for its unit, so that samples never fill the disk.

Runs alone, on the monitor, before each start of Prometheus (standard library only):
    python3 -I storage-limit.py SHARE FOLDER OUT
SHARE of the file system, and never more than what the samples hold already plus half of what is free.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

LEAST_MB = 128  # below that Prometheus would throw away what it just wrote: a segment of its log is 128 MB


def limit_mb(share: float, total: int, free: int, held: int) -> int:
    """How much Prometheus may keep, in MB of 2^20 bytes as Prometheus counts them. All sizes in bytes."""
    return max(LEAST_MB, int(min(share * total, held + free / 2)) >> 20)


def held_bytes(folder: Path) -> int:
    """What the files below a folder occupy; one that goes away meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_blocks * 512
            except OSError:
                continue
    return total


def main(share: str, folder: str, out: str) -> None:
    """Write the setting for the unit's EnvironmentFile."""
    disk = os.statvfs(folder)
    total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    size = limit_mb(float(share), total, free, held_bytes(Path(folder)))
    Path(out).write_text(f"RETENTION_SIZE={size}MB\n", encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
