"""System calls that a worker has no business with → refused by the kernel, in all threads, for good.

A worker opens no sockets, starts no programs and no processes, signals and traces nobody. One filter, classic BPF;
numbers from the kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

LOAD, EQUAL, GREATER_OR_EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|…|K, BPF_RET|K
NUMBER_AT, ARCH_AT, FIRST_ARGUMENT_AT = 0, 4, 16  # struct seccomp_data, little-endian
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
X32 = 0x40000000  # x86-64's second table of the same calls
THREAD = 0x00010000  # CLONE_THREAD
SET_MODE_FILTER, ALL_THREADS = 1, 1
# name: (x86-64, aarch64); -1: there is no such call
CALLS = {
    "socket": (41, 198), "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1),
    "kill": (62, 129), "tkill": (200, 130), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "open_by_handle_at": (304, 265), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273), "reboot": (169, 142),
    "move_mount": (429, 429), "fsopen": (430, 430), "open_tree": (428, 428), "shmget": (29, 194), "msgget": (68, 186),
}  # fmt: skip
CLONE, CLONE3 = (56, 220), 435
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
SECCOMP = {"x86_64": 317, "aarch64": 277}
NETWORK = {"socket"}  # what a worker that speaks to the endpoint needs


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def install(libc: ctypes.CDLL, *, network: bool) -> bool:
    """Whether the filter holds; not on an architecture that it does not know, nor on a kernel without seccomp."""
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        return False
    steps = program(machine, network=network)
    filled = _Program(len(steps) // 8, steps)
    return int(libc.syscall(SECCOMP[machine], SET_MODE_FILTER, ALL_THREADS, ctypes.byref(filled))) == 0


def program(machine: str, *, network: bool) -> bytes:
    """Pure: the filter for an architecture.

    `clone` may make threads; `clone3`, which cannot be looked into, is unknown to it: the C library falls back.
    """
    column, arch = ARCHITECTURES[machine]
    numbers = [call[column] for name, call in CALLS.items() if call[column] >= 0 and not (network and name in NETWORK)]
    refuse = REFUSE | errno.EPERM
    steps = [(LOAD, 0, 0, ARCH_AT), (EQUAL, 1, 0, arch), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER_AT)]
    steps += [(GREATER_OR_EQUAL, 0, 1, X32), (RETURN, 0, 0, refuse)] if machine == "x86_64" else []
    for number in numbers:
        steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, refuse)]
    steps += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, REFUSE | errno.ENOSYS)]
    steps += [(EQUAL, 0, 3, CLONE[column]), (LOAD, 0, 0, FIRST_ARGUMENT_AT), (ANY_BIT, 1, 0, THREAD)]
    steps += [(RETURN, 0, 0, refuse), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)
