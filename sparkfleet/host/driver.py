"""What is described of the driver, a host's facts → the packages that bring it, or the reason for which they may not.

Pure. DGX OS supports one driver branch, the one that it ships: whoever puts another there leaves what NVIDIA tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.errors import ApplyError
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.fitness import Gpu
    from sparkfleet.host.desired import Desired
    from sparkfleet.model import Fleet


def packages(gpu: Gpu) -> tuple[str, ...]:
    """The driver with its open kernel modules (the others start no Blackwell GPU), and the toolkit beside it."""
    driver = (f"nvidia-driver-{gpu.driver.branch}-open",) if gpu.driver.manage == "install" else ()
    # The metapackage of one version brings no driver, and lies in a folder of its own, /usr/local/cuda-13.0.
    toolkit = (f"cuda-toolkit-{gpu.cuda_toolkit.replace('.', '-')}",) if gpu.cuda_toolkit else ()
    return (*driver, *toolkit)


def refusal(gpu: Gpu, facts: Mapping[str, str]) -> str:
    """Why this host gets no driver from us although one is described; empty when it may have it, or none is."""
    if gpu.driver.manage != "install" or "dgx_os" not in facts:
        return ""
    has = facts.get("driver", "none that is loaded")
    return f"this is DGX OS {facts['dgx_os']}, which supports the one driver branch that it ships (driver: {has})"


def check(fleet: Fleet, wanted: Desired, facts: Mapping[str, str]) -> None:
    """Raise ApplyError where the driver may not be installed, before anything is touched."""
    why = refusal(fleet.gpu, facts) if Role.GPU in wanted.roles else ""
    if why:
        raise ApplyError(
            f"{wanted.host}: gpu.driver.manage is install, and {why}; nothing was touched.",
            usually="the description was written for hosts with plain Ubuntu.",
            next_step="set gpu.driver.manage to hold; the vendor's own updates bring the driver (`spark upgrade`).",
        )
