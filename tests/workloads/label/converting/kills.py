"""A stage on its way → whom to kill in it, and when."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.workloads.label.converting.conftest import Archive

WITHIN_S, EVERY_S = 120.0, 0.005
WORKER = b"workloads.label.converting.template"
SERVER = b"workloads.label.converting.server"


def itself(process: subprocess.Popen[str]) -> list[int]:
    """The run."""
    return [process.pid]


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Its workers, and the template that they are copies of."""
    return children(process, WORKER)


def server(process: subprocess.Popen[str]) -> list[int]:
    """The process that has the models."""
    return children(process, SERVER)


def children(process: subprocess.Popen[str], word: bytes) -> list[int]:
    """Those of its children whose command has this word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if parent == str(process.pid) and word in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def kill_when(
    process: subprocess.Popen[str], ready: Callable[[], bool], victims: Callable[[subprocess.Popen[str]], list[int]]
) -> bool:
    """Kill -9 as soon as it is ready; False when nobody was killed, as the run was over before."""
    due = time.monotonic() + WITHIN_S
    while process.poll() is None and time.monotonic() < due:
        if ready() and (found := victims(process)):
            for pid in found:
                os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(EVERY_S)
    return False


def no_worker_lives(project: Archive) -> bool:
    """Whether every worker of a project is gone, within seconds: they die with the run."""
    due = time.monotonic() + 10
    while time.monotonic() < due:
        mine = [
            folder for folder in Path("/proc").glob("[0-9]*")
            if (words := _words(folder)) and WORKER in words and str(project.folder).encode() in words
        ]  # fmt: skip
        if not mine:
            return True
        time.sleep(0.05)
    return False


def _words(folder: Path) -> bytes:
    try:
        return (folder / "cmdline").read_bytes()
    except OSError:
        return b""
