"""Security updates come by themselves, and nothing else with them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

BLACKLIST = "Unattended-Upgrade::Package-Blacklist::"
TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
# DGX OS supports one combination of these at a time: NVIDIA's own update path moves them together.
HELD = (
    "linux-image-generic", "linux-nvidia-hwe-24.04", "linux-firmware", "firmware-nvidia-gsp",
    "nvidia-driver-580-open", "nvidia-dkms-580-open", "libnvidia-compute-580", "xserver-xorg-video-nvidia-580",
    "nvidia-container-toolkit", "cuda-toolkit-13-0", "docker-ce", "containerd.io", "dgx-release",
    "mlnx-ofed-kernel-dkms", "doca-ofed", "fwupd",
)  # fmt: skip


@pytest.mark.control(id="BASE-05", severity="high", source="GB10")
def test_updates_leave_kernel_driver_and_firmware_alone(machine: Machine) -> None:
    """Unattended updates leave kernel, driver, CUDA, container and firmware packages alone.

    Names of packages that DGX OS moves together, matched as unattended-upgrade does against apt's settings in force.
    """
    patterns = [pattern for pattern in machine.apt[BLACKLIST] if pattern]
    # As unattended-upgrade itself matches (is_pkgname_in_blacklist): from the name's beginning.
    loose = [name for name in HELD if not any(re.match(pattern, name) for pattern in patterns)]
    assert not loose, f"these could be upgraded: {', '.join(loose)}; held are {' '.join(patterns) or 'none'}"


@pytest.mark.control(id="BASE-06", severity="high", source="CIS 1.2.2.1")
def test_security_updates_come_by_themselves(machine: Machine) -> None:
    """Security updates install themselves, where the description says so.

    apt's settings in force, and its timers.
    """
    wanted = "1" if machine.wanted["security_updates"] else "0"
    keys = ("APT::Periodic::Update-Package-Lists", "APT::Periodic::Unattended-Upgrade")
    wrong = [f"{key} is {machine.apt.get(key)}" for key in keys if machine.apt.get(key) != [wanted]]
    if machine.wanted["security_updates"]:
        wrong += [f"{timer} is not active" for timer in TIMERS if not machine.runs(timer)]
    assert not wrong, f"{'; '.join(wrong)}; described is {wanted}"


@pytest.mark.control(id="BASE-07", severity="high", source="sparkfleet")
def test_only_security_origins_are_followed(machine: Machine) -> None:
    """Unattended updates come from the distribution's security archive alone.

    Every origin in apt's settings in force.
    """
    places = ("Unattended-Upgrade::Origins-Pattern::", "Unattended-Upgrade::Allowed-Origins::")
    found = [origin for place in places for origin in machine.apt.get(place, []) if origin]
    other = [origin for origin in found if "-security" not in origin]
    assert found, "no origin is followed: nothing is ever updated"
    assert not other, f"followed as well: {'; '.join(other)}"


@pytest.mark.control(id="BASE-08", severity="medium", source="GB10")
def test_updates_never_reboot_the_host(machine: Machine) -> None:
    """Unattended updates never reboot the host: a training run would be lost.

    apt's settings in force.
    """
    found = machine.apt.get("Unattended-Upgrade::Automatic-Reboot", ["false"])
    assert found[-1] == "false", f"Automatic-Reboot is {found[-1]}"
