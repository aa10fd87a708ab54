"""The known issues, and what is described of the driver → apt's preferences for kernel and driver packages.

Pure. Fail closed: what the matrix does not know, apt does not take, whoever runs it (an upgrade, the DGX Dashboard, a
person). Nothing is pinned above apt's own priorities, so that what the vendor's files forbid stays forbidden, and
nothing is ever moved to an older version (that needs more than 1000).
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from sparkfleet.host.known_issues import matrix

if TYPE_CHECKING:
    from sparkfleet.fitness import Gpu

# NVIDIA's builds of Ubuntu's kernel: linux-nvidia-hwe-24.04, linux-modules-nvidia-580-open-nvidia-hwe-24.04,
# linux-image-6.17.0-1021-nvidia. Not linux-modules-nvidia-580-open-generic, which has another kernel's numbers.
KERNELS = "linux-nvidia-hwe-* linux-*-nvidia-hwe-* linux-*-[0-9]*-nvidia linux-*-[0-9]*-nvidia-64k"
# Not nvidia-driver-pinning-580, libnvidia-container1, nvidia-spark-*: none of these has a branch's number there.
DRIVERS = (
    "nvidia-driver-[0-9]* nvidia-utils-[0-9]* nvidia-compute-utils-[0-9]* nvidia-kernel-*-[0-9]* nvidia-dkms-[0-9]* "
    "nvidia-firmware-[0-9]* nvidia-headless-[0-9]* nvidia-headless-*-[0-9]* libnvidia-*-[0-9]* "
    "xserver-xorg-video-nvidia-[0-9]* nvidia-open nvidia-open-[0-9]* cuda-drivers cuda-drivers-[0-9]*"
)
LET, NEVER = 500, -1  # apt_preferences(5): 500 is what a repository has anyway, below 0 is never installed


@dataclass(frozen=True)
class Pin:
    """One record of apt_preferences(5); of several for a package the first whose version matches counts."""

    packages: str
    version: str
    priority: int
    why: str


def pins(gpu: Gpu) -> list[Pin]:
    """Every record, in order: known versions first, then the rest of the world."""
    branch = gpu.driver.branch
    found = [Pin(KERNELS, f"{kernel}.*", LET, why) for kernel, why in sorted(_kernels(gpu.kernel).items())]
    found.append(Pin(KERNELS, "*", NEVER, "any other kernel: nobody has told of it, or only ill"))
    if gpu.driver.manage == "install":
        # Single versions of it alone: that a branch is too old for a GB10 says nothing of another GPU's host.
        bad = [pattern for key, pattern in _refused() if key == "driver" and pattern.startswith(f"{branch}.")]
        found += [Pin(DRIVERS, f"{pattern}-*", NEVER, "a known issue") for pattern in bad]
        found.append(Pin(DRIVERS, f"{branch}.*", LET, f"the described branch {branch}"))
    else:
        known = {d: row.source for row in matrix().known for d in row.drivers if d.startswith(f"{branch}.")}
        known = {d: why for d, why in known.items() if not _is_refused("driver", d)}
        found += [Pin(DRIVERS, f"{driver}-*", LET, why) for driver, why in sorted(known.items())]
    found.append(Pin(DRIVERS, "*", NEVER, "any other driver"))
    return found


def _kernels(branch: str) -> dict[str, str]:
    """The kernels that ran: ABI number → source. One that runs under a condition only where its branch is described."""
    every = {kernel: row.source for row in matrix().known for kernel in row.kernels}
    found = {}
    for kernel, why in every.items():
        release, conditional = f"{kernel}-nvidia", not kernel.startswith(f"{branch}.")
        if not _is_refused("kernel", release, conditional=conditional):
            found[kernel] = why
    return found


def _is_refused(key: str, value: str, *, conditional: bool = True) -> bool:
    return any(key == which and fnmatchcase(value, pattern) for which, pattern in _refused(conditional=conditional))


def _refused(*, conditional: bool = True) -> list[tuple[str, str]]:
    """(kernel or driver, pattern) of every bad issue of that one alone: apt does not see which two run together.

    `conditional`: also those that need something else, the command line, to be true. apt sees nothing of that either.
    """
    found = []
    for issue, when in matrix().issues:
        of = [key for key in ("kernel", "driver") if key in when]
        if issue.verdict == "bad" and len(of) == 1 and (conditional or len(when) == 1):
            found += [(of[0], pattern) for pattern in when[of[0]]]
    return found
