"""What a host told of itself before and after an upgrade → typed, and safe to show; raises ValueError otherwise."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from sparkfleet.forms import Described
from sparkfleet.text import shown

BOOT_ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class PackageLock(Described):
    """A package manager at work."""

    path: str
    pid: int
    name: str


class Inhibitor(Described):
    """Somebody who asked logind that this machine is not rebooted."""

    who: str
    why: str


class GpuProcess(Described):
    """Something that computes on the GPU; `unit` is the service it belongs to, if any."""

    pid: int
    name: str
    unit: str


class Kernel(Described):
    """What stands ready below /lib/modules: `nvidia` is the driver module's version, "" when it does not say it."""

    modules: bool
    nvidia: str | None


class Boot(Described):
    """GRUB's files, the sizes of what lies in /boot, and every installed kernel by its release."""

    grub_cfg: str
    grubenv: str
    images: dict[str, int]
    kernels: dict[str, Kernel]


class Ota(Described):
    """What `nvidia-spark-ota-check summary` ended with and, when it was JSON, answered."""

    code: int
    answer: dict[str, Any] | None
    said: str


class Look(Described):
    """One look at a host, as upgrade_script takes it."""

    boot_id: str = Field(pattern=f"^{BOOT_ID}$")
    kernel: str
    container: bool
    free_bytes: dict[str, int]
    dpkg_audit: str
    locks: list[PackageLock]
    inhibitors: list[Inhibitor]
    reboot_required: bool
    holds: list[str]
    failed: list[str]
    units: dict[str, str]
    gpu_processes: list[GpuProcess] | None
    gpu: str
    cmdline: str
    driver_loaded: str
    driver_flavour: str
    driver_packages: list[str]
    dgx_os: str
    watchdog: bool
    ota: Ota | None
    boot: Boot

    @classmethod
    def of(cls, answer: object) -> Look:
        """From the host's JSON; raises ValueError when it is another document."""
        return cls.model_validate(shown(answer, None))

    @property
    def facts(self) -> dict[str, str]:
        """The combination that runs now, in the words of known_issues; what the host does not say is left out."""
        told = {
            "kernel": self.kernel, "cmdline": self.cmdline, "driver": self.driver_loaded, "dgx_os": self.dgx_os,
            "driver_flavour": self.driver_flavour, "gpu": self.gpu, "watchdog": "yes" if self.watchdog else "",
        }  # fmt: skip
        return {name: value for name, value in told.items() if value}

    def serving(self, units: list[str]) -> tuple[str, ...]:
        """Those of the units that are active, in the order given."""
        return tuple(unit for unit in units if self.units.get(unit) == "active")
