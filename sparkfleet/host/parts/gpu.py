"""Fleet, host → what the role gpu wants beside its templates."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from sparkfleet.fitness.gpu import CUDA_OF_BRANCH
from sparkfleet.host import driver, holds
from sparkfleet.host.parts import RUNNING, Parts
from sparkfleet.host.parts.alignment import alignment

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

SETTINGS, SETTINGS_PATH = "sparkfleet/host/gpu_settings.py", "/usr/local/lib/sparkfleet/gpu-settings.py"


def gpu(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """Driver (installed or only held), toolkit, and what the driver forgets: put back by a timer and after a load."""
    aligned = alignment()
    return Parts(
        packages=("python3", *driver.packages(fleet.gpu)),
        units={"sparkfleet-gpu.timer": RUNNING, **aligned.units},
        raw={SETTINGS_PATH: SETTINGS, **aligned.raw},
    )


def expected(fleet: Fleet) -> dict[str, Any]:
    """What the checks of driver, holds and clocks are told: plain JSON."""
    return {
        "pins": [astuple(pin)[:3] for pin in holds.pins(fleet.gpu)],
        "cuda": CUDA_OF_BRANCH.get(fleet.gpu.driver.branch),
        "cuda_toolkit": fleet.gpu.cuda_toolkit,
        "clock_cap_mhz": fleet.gpu.clock_cap_mhz,
    }
