"""What a thing depends on → a folder in the cache that holds it whole, built at most once.

A folder appears under its final name only when it is complete, so a killed build can never be taken for a result.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def root() -> Path:
    """The cache folder: survives `make down`, shared by all checkouts, may be deleted when no lab runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparkfleet"


def digest(*parts: str | bytes) -> str:
    """Twelve hexadecimal digits over the parts and the borders between them."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:12]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`; waits for another process that has it. A death releases it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def try_lock(name: str) -> Iterator[bool]:
    """Whether the build of `name` is nobody's at this moment; if so it is ours until the end of the block."""
    with _lock_file(name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _lock_file(name: str) -> Path:
    file = root() / "locks" / f"{name}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def once(name: str, build: Callable[[Path], None]) -> Path:
    """Return the cache folder `name`, calling `build(empty_folder)` first when it is not there yet."""
    final = root() / name
    if final.is_dir():
        return final
    with locked(_lock_file(name)):
        if final.is_dir():  # another process built it while we waited
            return final
        partial = root() / "building" / name
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        build(partial)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(final)
    return final
