"""A call that blocks in the kernel itself: not even kill -9 ends it, until the file system thaws."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import gb10
from lab.gb10.frozen import frozen
from tests.waiting import until

pytestmark = [pytest.mark.drill, pytest.mark.skipif(os.geteuid() != 0, reason="freezing a file system needs root")]

ASK = """
import ctypes
library = ctypes.CDLL("libnvidia-ml.so.1")
handle, out = ctypes.c_void_p(), ctypes.c_uint()
library.nvmlInit_v2()
library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle))
library.nvmlDeviceGetPowerUsage(handle, ctypes.byref(out))
"""
DEADLINE_S = 20.0


def state(pid: int) -> str:
    """The kernel's letter for what a process does; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_a_frozen_call_cannot_be_killed(built: Path, tmp_path: Path) -> None:
    """The process is in state D, stays there after SIGKILL, and dies as soon as the file system thaws."""
    with frozen(tmp_path) as file:
        gb10.put(f"nvmlDeviceGetCount_v2 = 1\nnvmlDeviceGetPowerUsage = 5 write {file}\n", tmp_path / "gb10")
        found = os.environ | {"LD_LIBRARY_PATH": str(built), "NVML_SCENARIO": str(tmp_path / "gb10/scenario")}
        process = subprocess.Popen([sys.executable, "-c", ASK], env=found)
        until(lambda: state(process.pid) == "D", "it never blocks")
        process.send_signal(signal.SIGKILL)
        time.sleep(0.5)  # so long a process that can be killed does not live
        assert state(process.pid) == "D"
    assert process.wait(timeout=DEADLINE_S) == -signal.SIGKILL
    assert not (tmp_path / "frozen").exists()


def test_the_frozen_file_system_goes_with_whoever_made_it(tmp_path: Path) -> None:
    """When the program that froze it is killed, the file system thaws and is unmounted all the same."""
    program = (
        f"import sys, time; sys.path.insert(0, {str(gb10.FOLDER.parents[1])!r})\n"
        f"from pathlib import Path; from lab.gb10.frozen import frozen\n"
        f"with frozen(Path({str(tmp_path)!r})): print('frozen', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "frozen\n"
        assert (tmp_path / "frozen").is_mount()
        process.kill()
    until(lambda: not (tmp_path / "frozen").is_mount(), "it is still mounted")
