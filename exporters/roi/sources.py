"""The workspace of the label loop → the texts of each project's files. The only place of this exporter that reads."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE = "roi.json"
RECURRING = "recurring/*.json"  # what became of each run that comes by itself
KEPT = "kept.json"  # what became of keeping its records in the object store
MOST_BYTES = 1 << 20  # a year of a project has some 20 KB
PROJECT = re.compile(r"[a-z][a-z0-9-]{0,39}")  # as project.toml allows it: a label's value, and nothing to escape


def texts(workspace: Path, file: str = FILE) -> dict[str, str | OSError]:
    """Project → its figures' text, or why it could not be read; a project without a file has no figures yet.

    Of another `file` the same. Raises OSError when the workspace itself cannot be listed.
    """
    read = {folder.name: _readable(folder / file) for folder in _projects(workspace)}
    return {name: text for name, text in read.items() if text is not None}


def recurring(workspace: Path) -> dict[str, list[str | OSError]]:
    """Project → the texts of its recurring runs; raises OSError as `texts` does."""
    read = {
        folder.name: [_readable(file) for file in sorted(folder.glob(RECURRING))] for folder in _projects(workspace)
    }
    return {name: [text for text in found if text is not None] for name, found in read.items() if found}


def _projects(workspace: Path) -> list[Path]:
    return [folder for folder in sorted(workspace.iterdir()) if PROJECT.fullmatch(folder.name)]


def _readable(path: Path) -> str | OSError | None:
    try:
        return _text(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error


def _text(path: Path) -> str:
    """At most MOST_BYTES of a plain file: a pipe would hang, a device would never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is no plain file")
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(f"{path} is larger than {MOST_BYTES} bytes")
    return data.decode("utf-8", "replace")
