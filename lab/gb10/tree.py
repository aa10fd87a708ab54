"""The `sys/…` lines of a scenario → files of a fake /sys: thermal zones with trip points, DMI. Simulated.

A line `sys/class/thermal/thermal_zone0/temp = 48000` becomes the file TARGET/class/thermal/thermal_zone0/temp.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath

PREFIX = "sys/"


def tree(text: str) -> dict[str, str]:
    """The files that a scenario's text describes: path below /sys → content. A later line replaces an earlier one.

    ValueError when a line names a path outside the tree.
    """
    files = {}
    for line in text.splitlines():
        statement = line.split("#", 1)[0].strip()
        if not statement.startswith(PREFIX):
            continue
        path, _, content = statement.removeprefix(PREFIX).partition("=")
        name = PurePosixPath(path.strip())
        if name.is_absolute() or ".." in name.parts or not name.parts:
            raise ValueError(f"not a path below /sys: {statement!r}")
        files[str(name)] = content.strip()
    return files


def replace(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `path` whole by rename, so that a reader never sees half a file; folders on the way are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_tree(text: str, target: Path) -> None:
    """Write the files of a scenario's text below `target`, each by rename, each ending in a newline as sysfs has it."""
    for name, content in tree(text).items():
        replace(target / name, content + "\n")
