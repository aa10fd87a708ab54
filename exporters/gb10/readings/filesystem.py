"""/proc/mounts (text) → where the filesystems on block devices are mounted, each once. Pure."""

from __future__ import annotations

import re

MOUNTS_MAX = 16
# Images that are always full: snaps, installation media.
IMAGES = {"squashfs", "iso9660", "udf", "erofs", "cramfs"}


def mountpoints(text: str) -> list[str]:
    """The mount points in order; of several mounts of one device the shortest, at most 16.

    A mount that another one covers is left out: what statvfs says there is the other one's.
    """
    visible: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) >= 4:
            visible[unescaped(fields[1])] = (fields[0], fields[2])  # a later mount on the same point covers the earlier
    points: dict[str, str] = {}
    for point, (device, kind) in visible.items():
        if device.startswith("/dev/") and kind not in IMAGES and point.startswith("/"):
            points[device] = min(points.get(device, point), point, key=lambda each: (len(each), each))
    return sorted(points.values())[:MOUNTS_MAX]


def unescaped(field: str) -> str:
    r"""The kernel writes space, tab, newline and backslash as \040 and so on."""
    return re.sub(r"\\([0-3][0-7]{2})", lambda match: chr(int(match[1], 8)), field)
