"""Fleet, host → what the role jupyter wants beside its templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.host.parts import RUNNING, Parts
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

GPU_CHECK = "sparkfleet/host/gpu_check.py"


def jupyter(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """JupyterLab's own environment, built by the role node's program, and what each kernel starts with."""
    return Parts(
        units={"sparkfleet-jupyter.service": RUNNING},
        raw={"/usr/local/lib/sparkfleet/gpu_check.py": GPU_CHECK},
        environments=("jupyter",),
    )


def expected(fleet: Fleet, name: str) -> dict[str, Any]:
    """What the checks are told; empty on a host without the role."""
    roles, wanted = fleet.hosts[name].all_roles, fleet.jupyter
    if Role.JUPYTER not in roles:
        return {}
    return {"user": wanted.user, "port": wanted.port, "served": wanted.serve and Role.TAILNET in roles}
