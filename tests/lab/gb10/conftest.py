"""The simulated NVML library, loaded under pynvml, with a scenario that a test can rewrite."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import pynvml
import pytest

from lab import gb10

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Simulator:
    """pynvml on the simulator; `say` replaces the scenario."""

    def __init__(self, library: Path, scenario: Path) -> None:
        self.library, self.path = ctypes.CDLL(str(library)), scenario

    def say(self, text: str) -> None:
        """Replace the scenario by rename, as the lab does."""
        gb10.replace(self.path, text)

    def gpu(self, index: int = 0) -> Any:
        """A handle."""
        return pynvml.nvmlDeviceGetHandleByIndex(index)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the compiled library and nvidia-smi."""
    return gb10.build(tmp_path_factory.mktemp("gb10"))


@pytest.fixture
def simulator(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """NVML started on a scenario with one GPU and nothing else."""
    monkeypatch.setenv("NVML_SCENARIO", str(tmp_path / "scenario"))
    found = Simulator(built / "libnvidia-ml.so.1", tmp_path / "scenario")
    monkeypatch.setattr(pynvml, "nvmlLib", found.library)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    found.say("nvmlDeviceGetCount_v2 = 1\n")
    pynvml.nvmlInit()
    yield found
    pynvml.nvmlShutdown()
