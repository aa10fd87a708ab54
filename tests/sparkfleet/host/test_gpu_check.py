"""What nvidia-smi says, or does not, → one line before a kernel's first cell, soon."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.host import gpu_check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def smi(folder: Path, script: str) -> tuple[str, ...]:
    """A program in the place of nvidia-smi."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return (str(program),)


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("echo 'NVIDIA GB10, 580.95.05, 37'", "NVIDIA GB10, driver 580.95.05, 37 % busy"),
        ("echo 'NVIDIA GB10, 580.95.05, [N/A]'", "NVIDIA GB10, driver 580.95.05, [N/A] % busy"),
        ("printf 'A, 1, 2\\nB, 3, 4\\n'", "A, driver 1, 2 % busy"),
        ("echo 'Failed to initialize NVML'; exit 9", "no GPU: Failed to initialize NVML"),
        ("exit 9", "no GPU: nvidia-smi failed"),
        ("echo nonsense", "no GPU: nonsense"),
    ],
)
def test_each_answer_is_one_line(tmp_path: Path, script: str, line: str) -> None:
    """Also a failure: a notebook goes on without a GPU."""
    assert gpu_check.gpu(smi(tmp_path, script)) == line


def test_a_machine_without_a_driver_is_told_as_such() -> None:
    """The program is not there."""
    assert gpu_check.gpu(("/nowhere/nvidia-smi",)) == "no GPU: nvidia-smi is not there"


def test_a_driver_that_hangs_does_not_hang_the_notebook(tmp_path: Path) -> None:
    """NVML can block for minutes on a machine that is out of memory."""
    began = time.monotonic()

    line = gpu_check.gpu(smi(tmp_path, "exec sleep 60"), within_s=0.3)

    assert line == "no GPU: nvidia-smi did not answer within 0 s"
    assert time.monotonic() - began < 10


class Shell:
    """IPython's events, as far as the check uses them."""

    def __init__(self) -> None:
        self.waiting: list[Callable[..., None]] = []
        self.events: Any = self

    def register(self, event: str, call: Callable[..., None]) -> None:
        """Only that event is known to be told when somebody looks."""
        assert event == "pre_run_cell"
        self.waiting.append(call)

    def unregister(self, event: str, call: Callable[..., None]) -> None:
        """Its other half."""
        assert event == "pre_run_cell"
        self.waiting.remove(call)


def test_it_is_said_once_before_the_first_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not while the kernel starts, where nobody would see it; and no module of CUDA's comes with it."""
    smi(tmp_path, "echo 'NVIDIA GB10, 580.95.05, 0'")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    shell = Shell()

    say = gpu_check.register(shell)
    assert capsys.readouterr().out == ""
    for call in list(shell.waiting):
        call(None)

    assert capsys.readouterr().out == f"{say()}\n"
    assert shell.waiting == []
    assert "torch" not in sys.modules
