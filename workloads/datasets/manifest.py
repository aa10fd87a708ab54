"""The JSON text of a version ⇄ Manifest: which files it has, each with size, time, digests and key. Pure.

    {"format": 1, "version": "2026-11-21", "created": "2026-11-21T17:00:00Z", "part_bytes": 67108864,
     "files": {"train/0001.bin": {"size": 16384, "mtime_ns": 1763740800000000000, "sha256": ["9f86…"],
                                  "key": "data/2026-11-21/train/0001.bin"}}}

A file has one SHA-256 for each part of `part_bytes`, so that the parts of a large one come, are checked and are
resumed apart. A manifest is data from outside: nothing of it may lead out of the folder that it is mirrored into.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from workloads.datasets.config import NAME
from workloads.errors import DamagedError, printable

FORMAT = 1
PART_BYTES = 64 << 20
MOST_PATH_BYTES = 1024  # of S3's keys: their whole length
# Words between slashes: none empty, none "." or "..", no control character.
SAFE = re.compile(r"(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]+(?:/(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f]+)*")
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `key` is below the data set's prefix; `mtime_ns` is what the file gets once it is checked."""

    size: int
    mtime_ns: int
    digests: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Manifest:
    """One version of a data set."""

    version: str
    created: str
    files: dict[str, Entry]
    part_bytes: int = PART_BYTES

    @property
    def size(self) -> int:
        """Of all files, in bytes."""
        return sum(entry.size for entry in self.files.values())

    def text(self) -> bytes:
        """As it is stored; the same manifest is always the same text."""
        files = {
            path: {"size": e.size, "mtime_ns": e.mtime_ns, "sha256": list(e.digests), "key": e.key}
            for path, e in sorted(self.files.items())
        }
        head = {"format": FORMAT, "version": self.version, "created": self.created, "part_bytes": self.part_bytes}
        return (json.dumps({**head, "files": files}, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def parts(size: int, part_bytes: int) -> int:
    """Into how many parts a file is cut; an empty file has one."""
    return max(1, -(-size // part_bytes))


def digest(data: bytes) -> str:
    """How manifests and pointers name content."""
    return hashlib.sha256(data).hexdigest()


def parse(text: bytes, where: str) -> Manifest:
    """Read a manifest; raises DamagedError that says what is wrong in `where`."""
    try:
        return _manifest(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise DamagedError(
            f"{where} is no manifest: {printable(missing)}",
            usually="something else has written there, or a newer spark-node published it",
        ) from error


def _manifest(data: dict[str, Any]) -> Manifest:
    if data["format"] != FORMAT:
        raise ValueError(f"format {data['format']!r}, and this spark-node reads {FORMAT}")
    version, part_bytes = data["version"], data["part_bytes"]
    if not isinstance(version, str) or not NAME.fullmatch(version):
        raise ValueError("version: not a name")
    if not _whole(part_bytes) or part_bytes < 1:
        raise ValueError("part_bytes: not a size")
    files = {path: _entry(path, each, part_bytes) for path, each in data["files"].items()}
    folders = {path[:at] for path in files for at in range(len(path)) if path[at] == "/"}
    both = folders & files.keys()
    if both:
        raise ValueError(f"{min(both)!r} is a file and a folder")
    return Manifest(version, str(data["created"]), files, part_bytes)


def _entry(path: str, each: dict[str, Any], part_bytes: int) -> Entry:
    size, mtime_ns, digests, key = each["size"], each["mtime_ns"], each["sha256"], each["key"]
    if not safe(path) or not isinstance(key, str) or not safe(key):
        raise ValueError(f"{path!r}: leads elsewhere")
    if not _whole(size) or not _whole(mtime_ns):
        raise ValueError(f"{path!r}: size or time is no number")
    if not isinstance(digests, list) or len(digests) != parts(size, part_bytes):
        raise ValueError(f"{path!r}: not one digest a part")
    if not all(isinstance(one, str) and DIGEST.fullmatch(one) for one in digests):
        raise ValueError(f"{path!r}: a digest is none")
    return Entry(size, mtime_ns, tuple(digests), key)


def safe(path: str) -> bool:
    """Whether a path stays below the folder that it is joined to, and can be told to people."""
    return bool(SAFE.fullmatch(path)) and len(path.encode()) <= MOST_PATH_BYTES


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63
