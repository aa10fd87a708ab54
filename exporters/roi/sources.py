"""The workspace of the label loop → the text of each project's roi.json. The only place of this exporter that reads."""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE = "roi.json"
MOST_BYTES = 1 << 20  # a year of a project has some 20 KB
PROJECT = re.compile(r"[a-z][a-z0-9-]{0,39}")  # as project.toml allows it: a label's value, and nothing to escape


def texts(workspace: Path) -> dict[str, str | OSError]:
    """Project → its file's text, or why it could not be read; a project without a file has no figures yet.

    Raises OSError when the workspace itself cannot be listed.
    """
    found: dict[str, str | OSError] = {}
    for folder in sorted(workspace.iterdir()):
        if not PROJECT.fullmatch(folder.name):
            continue
        try:
            found[folder.name] = _text(folder / FILE)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            found[folder.name] = error
    return found


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
