"""Written bytes → bytes on the disk and out of the page cache, so that a sync takes no memory from a model.

On a GB10 memory is one: what the page cache holds, CUDA does not get without a fight. Pages can only be dropped once
they are clean (posix_fadvise(2)), and `close` does not make them clean. So each writer starts the write-back of what
it wrote, waits for what it wrote a while ago, and drops that. Not O_DIRECT: it wants aligned lengths and buffers, and
some file systems refuse it.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# <linux/fs.h>, sync_file_range(2)
WAIT_BEFORE, WRITE, WAIT_AFTER = 1, 2, 4
BEHIND_BYTES = 16 << 20  # a writer's share of dirty pages
BEHIND_FILES = 128
UNSUPPORTED = {errno.ESPIPE, errno.EINVAL, errno.ENOSYS}  # as tmpfs and some network file systems answer

_libc = ctypes.CDLL(None, use_errno=True)
_libc.sync_file_range.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
_libc.syncfs.argtypes = [ctypes.c_int]


def start_writing(descriptor: int, start: int, length: int) -> None:
    """Have the kernel begin to write a range, and go on."""
    _range(descriptor, start, length, WRITE)


def drop(descriptor: int, start: int = 0, length: int = 0) -> None:
    """Wait until a range (0, 0: all) is written, then drop its pages. Raises OSError when the disk refused it."""
    _range(descriptor, start, length, WAIT_BEFORE | WRITE | WAIT_AFTER)
    os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)


def flushed_filesystem(folder: Path) -> None:
    """Everything on the folder's file system is on the disk: once a version, before it appears."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), "syncfs", str(folder))
    finally:
        os.close(descriptor)


class Behind:
    """The ranges that one writer has written and not dropped yet: oldest out when they become many."""

    def __init__(self, most_bytes: int = BEHIND_BYTES, most_files: int = BEHIND_FILES) -> None:
        self._ranges: deque[tuple[int, int, int, bool]] = deque()
        self._held, self._most_bytes, self._most_files = 0, most_bytes, most_files

    def wrote(self, descriptor: int, start: int, length: int, *, close: bool) -> None:
        """Take note; with `close` the descriptor is ours from here on, and closed when its range is dropped."""
        start_writing(descriptor, start, length)
        self._ranges.append((descriptor, start, length, close))
        self._held += length
        while self._held > self._most_bytes or len(self._ranges) > self._most_files:
            self._one()

    def empty(self) -> None:
        """Drop all that is left."""
        while self._ranges:
            self._one()

    def _one(self) -> None:
        descriptor, start, length, close = self._ranges.popleft()
        self._held -= length
        try:
            drop(descriptor, start, length)
        finally:
            if close:
                os.close(descriptor)


def _range(descriptor: int, start: int, length: int, flags: int) -> None:
    if _libc.sync_file_range(descriptor, start, length, flags) != 0:
        number = ctypes.get_errno()
        if number not in UNSUPPORTED:
            raise OSError(number, os.strerror(number))
