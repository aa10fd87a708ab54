"""This process → one that can do nothing but compute: no network, no programs, no files but its own folder's.

What holds depends on the kernel and is told; where something cannot be had, the others still hold. Nothing here needs
root. Landlock (files, TCP, signals) from Linux 5.13, better with 6.7 and 6.12; seccomp (sockets, programs, new
processes) where its tables know the machine; a network namespace of its own where the kernel grants one; no
capabilities.
Not covered: reading what it is given to read, and using CPU until its time is up.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.label.converting import seccomp

if TYPE_CHECKING:
    from collections.abc import Iterable

LIBC = ctypes.CDLL(None, use_errno=True)
SET_PARENT_DEATH_SIGNAL, SET_CHILD_SUBREAPER, SET_NO_NEW_PRIVILEGES = 1, 36, 38  # prctl(2)
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000  # unshare(2)
CAPSET_VERSION = 0x20080522
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # landlock(7); one number on all architectures
READ_FILE, READ_FOLDER, WRITE_FILE, TRUNCATE, REFER = 1 << 2, 1 << 3, 1 << 1, 1 << 14, 1 << 13
ALL_FILES = (1 << 13) - 1  # ABI 1: execute, read, write, make, remove
ALL_TCP, ALL_SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals
SYSTEM = ("/usr", "/lib", "/lib64", "/proc", "/sys", "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts",
          "/etc/mime.types", "/etc/nsswitch.conf", "/etc/passwd", "/dev/urandom", "/dev/random",
          "/dev/zero")  # fmt: skip
DEVICES = ("/dev/null", "/dev/nvidia*", "/dev/nvidia-caps")  # written to
MOST_FILE_BYTES, MOST_OPEN = 8 << 30, 1024


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def close(
    folder: Path, readable: Iterable[Path], memory_bytes: int, parent: int, *, network: bool = False
) -> list[str]:
    """From now on nothing outside `folder` can be written and little read; what holds, in words. Not to be undone.

    Called while there is one thread: Landlock and namespaces are a thread's, and later threads inherit them.
    """
    die_with(parent)
    limits(memory_bytes)
    held = ["memory"]
    held += [] if network else _own_network()
    held += _no_capabilities()
    LIBC.prctl(SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    held += _landlock(folder, readable, network=network)
    held += ["sockets", "programs"] if seccomp.install(LIBC, network=network) else []
    return held


def die_with(parent: int) -> None:
    """The kernel kills this process when its parent dies."""
    LIBC.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could be named
        os._exit(1)


def adopt() -> None:
    """Whoever is left behind by a child of this process becomes its child: the template's copies do."""
    LIBC.prctl(SET_CHILD_SUBREAPER, 1)


def limits(memory_bytes: int) -> None:
    """Memory that is written to (not address space: CUDA reserves terabytes of that), files, no core dumps."""
    for what, most in (
        (resource.RLIMIT_DATA, memory_bytes),
        (resource.RLIMIT_FSIZE, MOST_FILE_BYTES),
        (resource.RLIMIT_NOFILE, MOST_OPEN),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _own_network() -> list[str]:
    """A network with nothing in it; as root at once, otherwise by way of a user namespace, where that is allowed."""
    if LIBC.unshare(NEW_NETWORK) == 0 or LIBC.unshare(NEW_USER | NEW_NETWORK) == 0:
        return ["network"]
    return []


def _no_capabilities() -> list[str]:
    header, none = _Header(CAPSET_VERSION, 0), (ctypes.c_uint32 * 6)()
    return ["capabilities"] if LIBC.capset(ctypes.byref(header), none) == 0 else []


def _landlock(folder: Path, readable: Iterable[Path], *, network: bool) -> list[str]:
    abi = LIBC.syscall(CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return []
    write = ALL_FILES | (REFER if abi >= 2 else 0) | (TRUNCATE if abi >= 3 else 0)
    rules = _Ruleset(write, ALL_TCP if abi >= 4 and not network else 0, ALL_SCOPES if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    ruleset = LIBC.syscall(CREATE_RULESET, ctypes.byref(rules), size, 0)
    if ruleset < 0:
        return []
    for path in [*readable, *map(Path, SYSTEM)]:
        _allow(ruleset, path, READ_FILE | READ_FOLDER)
    for path in [found for pattern in DEVICES for found in Path("/").glob(pattern.lstrip("/"))]:
        _allow(ruleset, path, READ_FILE | READ_FOLDER | WRITE_FILE)
    _allow(ruleset, folder, write & ~1)  # all but to run programs
    # CUDA names its threads, and does not begin where it cannot (driver 580).
    threads = READ_FILE | READ_FOLDER | WRITE_FILE | (write & TRUNCATE)
    _allow(ruleset, Path(f"/proc/{os.getpid()}/task"), threads)
    restricted = LIBC.syscall(RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return ["files"] + (["tcp"] if rules.tcp else []) if restricted else []


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with contextlib.suppress(OSError):  # what is not there needs no rule
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rights = rights if path.is_dir() else rights & (READ_FILE | WRITE_FILE)
            LIBC.syscall(ADD_RULE, ruleset, 1, ctypes.byref(_Beneath(rights, opened)), 0)
        finally:
            os.close(opened)


def own_code() -> list[Path]:
    """What this interpreter and its packages are made of."""
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path}
    found = [Path(path) for path in paths if path and Path(path).exists()]
    place = Path(__file__).resolve().parents[3]  # on hosts the zipapp, elsewhere a checkout:
    own = place if place.is_file() else place / "workloads"  # what lies beside it there is no business of a worker
    return [own if path.resolve() == place else path for path in found]
