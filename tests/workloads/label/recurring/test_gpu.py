"""Whose programs on the GPU are waited for."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from workloads.label.recurring import gpu
from workloads.memguard import serving

UNITS = {1: "spark-node-label@job.service", 2: "session-3.scope", 3: "sparkfleet-jupyter.service", 4: "vllm@a.service"}


def test_everybody_else_counts_unless_described() -> None:
    """Our own unit's programs do not; nor those of units that hold the GPU for good."""
    found = gpu.strangers(UNITS, ["vllm@*.service"], UNITS[1], UNITS.__getitem__)

    assert found == ("session-3.scope", "sparkfleet-jupyter.service")


def test_a_program_of_no_unit_counts_and_one_that_is_gone_does_not() -> None:
    """Nobody may be overlooked; but a stage of our own that has just ended is no stranger."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    found = gpu.strangers([os.getpid(), gone.pid], [], "ours", lambda _: "")

    assert found == (serving.named(os.getpid()),)


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/org/freedesktop/systemd1/unit/session_2d3_2escope", "session-3.scope"),
        ("/org/freedesktop/systemd1/unit/user_401000_2eservice", "user@1000.service"),
    ],
)
def test_units_have_the_names_that_people_know(path: str, unit: str) -> None:
    """As systemd escapes them for its bus."""
    assert gpu.unescaped(path) == unit


def test_without_a_driver_there_is_nobody_to_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without NVML; with one that does not answer, somebody may be there."""
    monkeypatch.setattr(gpu, "ASKED", (sys.executable, "-c", 'print(\'{"pids": [], "silent": "NVML: lost"}\')'))

    assert gpu.others([]) == ("NVML: lost",)
    monkeypatch.undo()
    assert gpu.others([]) == ()
