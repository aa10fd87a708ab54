"""Fleet, host → what the role jupyter wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.parts import RUNNING, Parts, lock

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

GPU_CHECK = "sparkfleet/host/gpu_check.py"


def jupyter(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """JupyterLab's own environment, built by the role node's program, and what each kernel starts with."""
    return Parts(
        units={"sparkfleet-jupyter.service": RUNNING},
        raw={
            "/usr/local/lib/sparkfleet/gpu_check.py": GPU_CHECK,
            lock("jupyter"): "requirements/jupyter.txt",
        },
        environments=("jupyter",),
    )
