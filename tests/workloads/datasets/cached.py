"""Files → how much of them is in the page cache, and how much of that is dirty: cachestat(2), Linux 6.5 or newer."""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CACHESTAT = 451  # the same on every architecture: include/uapi/asm-generic/unistd.h

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Cached:
    """Bytes in memory, those not on the disk yet among them."""

    held: int
    dirty: int


def cached(folder: Path) -> Cached:
    """Over all files below the folder; skips the test where the kernel cannot say."""
    held = dirty = 0
    for file in folder.resolve().rglob("*"):
        if file.is_file():
            one = _of(file)
            held, dirty = held + one.held, dirty + one.dirty
    return Cached(held, dirty)


def _of(file: Path) -> Cached:
    where, found = (ctypes.c_uint64 * 2)(0, 0), (ctypes.c_uint64 * 5)()
    descriptor = os.open(file, os.O_RDONLY)
    try:
        if _libc.syscall(CACHESTAT, descriptor, where, found, 0) != 0:
            if ctypes.get_errno() in {errno.ENOSYS, errno.EPERM}:
                pytest.skip("this kernel has no cachestat")
            raise OSError(ctypes.get_errno(), "cachestat", str(file))
    finally:
        os.close(descriptor)
    page = os.sysconf("SC_PAGE_SIZE")
    return Cached(found[0] * page, (found[1] + found[2]) * page)
