"""systemd and NVML → who uses the GPU now, in words; nothing when nobody does, or nobody tells.

NVML blocks for minutes on a machine that runs out of memory (reported): it is asked in a process of its own that nobody
waits for longer than NVML_S.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NVML_S, SYSTEMD_S = 5.0, 10.0
LIBRARY = "libnvidia-ml.so.1"
MOST_PROCESSES = 256
ASK = "--nvml"


class Process(ctypes.Structure):
    """nvmlProcessInfo_v2_t."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


@dataclass(frozen=True)
class Serving:
    """Who serves, as words for a person; and whether NVML did not tell, and why."""

    who: tuple[str, ...] = ()
    silent: str = ""


def serving(units: Sequence[str]) -> Serving:
    """Units that are active (one that is starting does not serve yet) and programs that compute on a GPU."""
    pids, silent = processes()
    return Serving((*active(units), *(named(pid) for pid in pids)), silent)


def active(units: Sequence[str]) -> list[str]:
    """Those of the units, and of patterns of units, that systemd calls active."""
    if not units:
        return []
    try:
        done = subprocess.run(
            ["systemctl", "list-units", "--state=active", "--plain", "--no-legend", "--", *units],
            capture_output=True, text=True, timeout=SYSTEMD_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return [f"{' '.join(units)}: systemd does not tell"]  # closed when in doubt
    if done.returncode:
        return [f"{' '.join(units)}: systemd does not tell"]
    return [line.split()[0] for line in done.stdout.splitlines() if line.strip()]


def processes(asked: Sequence[str] = (), env: Mapping[str, str] | None = None) -> tuple[list[int], str]:
    """The ids of all processes that compute on a GPU; or none, and why NVML does not tell.

    `asked`: another program than this one that prints `answer`, in the environment `env`.
    """
    command = asked or [sys.executable, "-IS", sys.argv[0], ASK]
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=subprocess.DEVNULL, env=env)
    except OSError as error:
        return [], str(error.strerror)
    try:
        out, _ = child.communicate(timeout=NVML_S)
        answer = json.loads(out)
        return [int(pid) for pid in answer["pids"]], str(answer["silent"])
    except subprocess.TimeoutExpired:
        child.kill()  # not waited for: a process that the driver holds cannot even be killed
        return [], f"NVML does not answer within {NVML_S:.0f} s"
    except (ValueError, KeyError, TypeError):
        return [], "NVML ended the process that asked it"


def answer() -> str:
    """What the child prints: {"pids": [...], "silent": ""}."""
    try:
        return json.dumps({"pids": compute_pids(ctypes.CDLL(LIBRARY)), "silent": ""})
    except (OSError, AttributeError, RuntimeError) as error:
        return json.dumps({"pids": [], "silent": f"NVML: {error}"[:200]})


def compute_pids(library: ctypes.CDLL) -> list[int]:
    """The processes that compute on any GPU; RuntimeError with NVML's code when it cannot say."""

    def call(name: str, *arguments: object) -> None:
        code = getattr(library, name)(*arguments)
        if code:
            raise RuntimeError(f"{name} returned {code}")

    call("nvmlInit_v2")
    count = ctypes.c_uint()
    call("nvmlDeviceGetCount_v2", ctypes.byref(count))
    found: list[int] = []
    for index in range(count.value):
        gpu, number, rows = ctypes.c_void_p(), ctypes.c_uint(MOST_PROCESSES), (Process * MOST_PROCESSES)()
        call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(gpu))
        call("nvmlDeviceGetComputeRunningProcesses_v3", gpu, ctypes.byref(number), rows)
        found += [rows[i].pid for i in range(min(number.value, MOST_PROCESSES))]
    return sorted(set(found))


def named(pid: int) -> str:
    """A process as a person knows it."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        name = "a program"
    shown = "".join(letter if letter.isprintable() else "?" for letter in name)
    return f"{shown} (process {pid})"
