"""Fleet, host → what the role gpu wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host import driver
from sparkfleet.host.parts import RUNNING, Parts
from sparkfleet.host.parts.alignment import alignment

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

SETTINGS, SETTINGS_PATH = "sparkfleet/host/gpu_settings.py", "/usr/local/lib/sparkfleet/gpu-settings.py"


def gpu(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """Driver (installed or only held), toolkit, and what the driver forgets: put back by a timer and after a load."""
    aligned = alignment(fleet)
    return Parts(
        packages=("python3", *driver.packages(fleet.gpu)),
        units={"sparkfleet-gpu.timer": RUNNING, **aligned.units},
        raw={SETTINGS_PATH: SETTINGS, **aligned.raw},
    )
