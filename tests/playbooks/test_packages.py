"""The driver is refused on DGX OS, whoever asks the module `packages` for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.playbooks.machine import Machine


@pytest.fixture
def release(machine: Machine) -> Path:
    """The file by which DGX OS is known; nothing is installed there, and apt-get would do what it is told."""
    machine.program("dpkg-query", "exit 0")
    machine.program("dpkg", "exit 0")
    machine.program("apt-get", "exit 0")
    file = machine.root / "dgx-release"
    file.write_text("DGX_NAME=x")
    return file


def test_the_driver_is_refused_on_dgx_os(machine: Machine, release: Path) -> None:
    """By whatever name, and with the reason; nothing else of the list is installed then."""
    drivers = ["nvidia-driver-580-open", "nvidia-open", "cuda-drivers-590"]
    answer = machine.run("packages", names=["jq", *drivers], vendor_release=str(release))

    assert answer["failed"]
    assert f"supports the one driver branch that it ships; not installed: {', '.join(drivers)}." in answer["msg"]
    assert "apt-get" not in machine.calls.read_text()


def test_what_is_no_driver_is_installed_on_dgx_os(machine: Machine, release: Path) -> None:
    """Containers, a toolkit beside the system's, the vendor's own."""
    names = ["nvidia-container-toolkit", "cuda-toolkit-13-0", "nvidia-spark-grub-kho"]

    assert machine.run("packages", names=names, vendor_release=str(release))["installed"] == names


def test_elsewhere_the_driver_is_a_package_like_others(machine: Machine, release: Path) -> None:
    """On plain Ubuntu it is installed."""
    release.unlink()
    names = ["nvidia-driver-580-open"]

    assert machine.run("packages", names=names, vendor_release=str(release))["installed"] == names
