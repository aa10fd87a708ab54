"""Steps → carried out: pages of files given back to the kernel, caches dropped, memory compacted. The acting edge.

posix_fadvise takes clean pages that nobody has mapped, so each file is written back first; a model that runs keeps its
weights. The kernel's switches lie in a folder that is given: in the lab they are files that only record (simulated).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MOST_FILES = 100_000  # of one folder tree: a mistaken "/" must not take minutes


@dataclass
class Advised:
    """How many files were let go of, and which could not be, with the reason."""

    files: int = 0
    faults: int = 0
    first_fault: str = ""

    def fail(self, path: str, reason: str | None) -> None:
        """Count a file that stays as it is."""
        self.faults += 1
        self.first_fault = self.first_fault or f"{path}: {reason}"


def fadvise(paths: Iterable[str]) -> Advised:
    """Let the pages of files, and of all files below folders, go. Links are not followed; what fails is counted."""
    done = Advised()
    for path in files(paths, done):
        if done.files >= MOST_FILES:
            done.fail(path, f"only {MOST_FILES} files are looked at")
            break
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            done.fail(path, error.strerror)
            continue
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fdatasync(descriptor)  # dirty pages would stay
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                done.files += 1
            else:
                done.fail(path, "is no regular file")
        except OSError as error:
            done.fail(path, error.strerror)
        finally:
            os.close(descriptor)
    return done


def files(paths: Iterable[str], done: Advised) -> Iterator[str]:
    """Files as they are named, folders as the regular files below them."""
    for path in paths:
        if not stat.S_ISDIR(_mode(path)):
            yield path
            continue
        for where, _, names in os.walk(path, onerror=lambda error: done.fail(str(error.filename), error.strerror)):
            ways = (f"{where}/{name}" for name in names)
            yield from (way for way in ways if stat.S_ISREG(_mode(way)))


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:  # gone meanwhile
        return 0


def switch(vm: Path, name: str, value: int) -> None:
    """Write one of the kernel's switches in /proc/sys/vm; OSError when this process may not."""
    # No O_CREAT: a name that is wrong must fail, not make a file.
    descriptor = os.open(vm / name, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, f"{value}\n".encode())
    finally:
        os.close(descriptor)
