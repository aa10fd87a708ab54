"""A folder of *.prom files → their texts and when each was written. Bounded; never waits for a pipe or a device."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.gb10.sources.host import matching

if TYPE_CHECKING:
    from pathlib import Path

# What becomes a label; files that are being written have hidden names.
NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.prom")
MOST_FILES = 32
MOST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class TextFile:
    """One file. `text` is None, with the reason in `fault`, when it cannot be used."""

    text: str | None
    mtime: float | None = None  # seconds since 1970
    fault: str = ""


def textfiles(folder: Path) -> dict[str, TextFile]:
    """Name → file, in order; those beyond MOST_FILES are told and not read."""
    paths = matching(folder, NAMES)
    return {
        name: textfile(path) if number < MOST_FILES else TextFile(None, fault=f"there are {len(paths)} files")
        for number, (name, path) in enumerate(paths.items())
    }


def textfile(path: Path) -> TextFile:
    """One file's text."""
    mtime = None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                return TextFile(None, fault="is no regular file")
            mtime = found.st_mtime
            content = b""
            while len(content) <= MOST_BYTES and (piece := os.read(descriptor, MOST_BYTES + 1 - len(content))):
                content += piece
        finally:
            os.close(descriptor)
        text = content.decode()
    except OSError as error:
        return TextFile(None, mtime, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return TextFile(None, mtime, "is no UTF-8 text")
    if len(content) > MOST_BYTES:
        return TextFile(None, mtime, f"has more than {MOST_BYTES // 1024} KiB")
    return TextFile(text, mtime)
