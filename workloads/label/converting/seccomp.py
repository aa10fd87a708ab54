"""System calls that a worker has no business with → refused by the kernel, in all threads, for good.

A worker speaks to nobody, starts no programs and no processes, signals and traces nobody. One filter, classic BPF; the
numbers are in syscalls.toml. A local socket may be made, bound and listened on; it leads nowhere, as nothing is
connected or accepted. CUDA does not begin without (error 304; driver 580, each call refused in turn on an H100).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import tomllib
from importlib.resources import files
from typing import Any

LOAD, EQUAL, GREATER_OR_EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|…|K, BPF_RET|K
NUMBER_AT, ARCH_AT, FIRST_ARGUMENT_AT, FIFTH_ARGUMENT_AT = 0, 4, 16, 48  # struct seccomp_data, little-endian
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
THREAD = 0x00010000  # CLONE_THREAD
SET_MODE_FILTER, ALL_THREADS = 1, 1
TABLES: dict[str, Any] = tomllib.loads(files(__package__).joinpath("syscalls.toml").read_text(encoding="utf-8"))
# What a worker that speaks to the endpoint needs.
NETWORK = {"connect", "sendmsg", "sendmmsg"}
LOCAL = 1  # AF_UNIX


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def install(libc: ctypes.CDLL, *, network: bool) -> bool:
    """Whether the filter holds; not on an architecture that it does not know, nor on a kernel without seccomp."""
    machine = platform.machine()
    if machine not in TABLES:
        return False
    steps = program(machine, network=network)
    filled = _Program(len(steps) // 8, steps)
    return int(libc.syscall(TABLES[machine]["seccomp"], SET_MODE_FILTER, ALL_THREADS, ctypes.byref(filled))) == 0


def program(machine: str, *, network: bool) -> bytes:
    """Pure: the filter for an architecture.

    Sockets are local ones, and nothing is sent to an address. `clone` may make threads; `clone3`, which cannot be
    looked into, is unknown to it: the C library falls back.
    """
    table = TABLES[machine]
    numbers = [number for name, number in table["refused"].items() if not (network and name in NETWORK)]
    refuse = REFUSE | errno.EPERM
    steps = [(LOAD, 0, 0, ARCH_AT), (EQUAL, 1, 0, table["audit"]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER_AT)]
    if "second_table" in table:
        steps += [(GREATER_OR_EQUAL, 0, 1, table["second_table"]), (RETURN, 0, 0, refuse)]
    for number in numbers:
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, refuse)]
    if not network:
        steps += [(EQUAL, 0, 4, table["socket"]), (LOAD, 0, 0, FIRST_ARGUMENT_AT), (EQUAL, 1, 0, LOCAL)]
        steps += [(RETURN, 0, 0, refuse), (RETURN, 0, 0, ALLOW)]
        steps += [(EQUAL, 0, 6, table["sendto"]), (LOAD, 0, 0, FIFTH_ARGUMENT_AT), (EQUAL, 0, 2, 0)]
        steps += [(LOAD, 0, 0, FIFTH_ARGUMENT_AT + 4), (EQUAL, 1, 0, 0)]
        steps += [(RETURN, 0, 0, refuse), (RETURN, 0, 0, ALLOW)]
    steps += [(EQUAL, 0, 1, table["clone3"]), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    steps += [(EQUAL, 0, 3, table["clone"]), (LOAD, 0, 0, FIRST_ARGUMENT_AT), (ANY_BIT, 1, 0, THREAD)]
    steps += [(RETURN, 0, 0, refuse), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
