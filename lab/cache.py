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

from lab.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.progress import Step


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


def once(name: str, build: Callable[[Path], None], step: Step = silent) -> Path:
    """Return the cache folder `name`, calling `build(empty_folder)` first when it is not there yet."""
    final = root() / name
    if final.is_dir():
        return final
    with _lock(name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step(f"waiting for another process that builds {name}"):
                fcntl.flock(handle, fcntl.LOCK_EX)
        if final.is_dir():  # the other one built it
            return final
        partial = _partial(name)
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        build(partial)
        final.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(final)
    return final


def tidy() -> None:
    """Remove what killed builds left behind; what is being built at this moment is locked and stays."""
    for lock in (root() / "locks").glob("*.lock"):
        partial = root() / "building" / lock.stem
        if not partial.exists():
            continue
        with lock.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(partial, ignore_errors=True)


def _lock(name: str) -> Path:
    file = root() / "locks" / f"{_flat(name)}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _partial(name: str) -> Path:
    return root() / "building" / _flat(name)


def _flat(name: str) -> str:
    """One folder holds all locks and one all partial builds, so that `tidy` can match them."""
    return name.replace("/", "--")
