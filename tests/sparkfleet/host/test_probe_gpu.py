"""The probe's facts about GPU, kernel and driver, by which known issues are judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import gb10
from sparkfleet.host.known_issues import judge
from tests.sparkfleet.host.probed import Probed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def probed(tmp_path: Path) -> Probed:
    """A folder that stands for a host."""
    return Probed(tmp_path)


def facts(probed: Probed) -> dict[str, str]:
    """What it says, of the trees sys and proc in its folder."""
    told: dict[str, str] = probed.answer(sysfs=f"{probed.folder}/sys", procfs=f"{probed.folder}/proc")["facts"]
    return told


def test_a_gb10_tells_all_that_it_is_judged_by(probed: Probed) -> None:
    """Kernel, command line, driver with its flavour, and the GPU on its bus; nothing is known against them."""
    gb10.put(gb10.scenario("idle"), probed.folder)
    told = facts(probed)

    assert told["kernel"] == "6.17.0-1021-nvidia"
    assert "init_on_alloc=0" in told["cmdline"].split()
    assert (told["driver"], told["driver_flavour"], told["gpu"]) == ("580.159.03", "open", "10de:2e12")
    assert judge({**told, "dgx_os": "7.5.0"}) == []


@pytest.mark.parametrize(
    ("said", "flavour"),
    [
        ("NVRM version: NVIDIA UNIX Open Kernel Module for Arm  580.142  Release Build", "open"),
        ("NVRM version: NVIDIA UNIX Arm Kernel Module  580.142  Thu Mar  5", "proprietary"),
        ("something else", None),
    ],
)
def test_the_flavour_is_the_drivers_own_word(probed: Probed, said: str, flavour: str | None) -> None:
    """What it does not say is left out, not guessed."""
    probed.path("proc/driver/nvidia/version", f"{said}\nGCC version: 13\n")

    assert facts(probed).get("driver_flavour") == flavour


def test_only_nvidias_display_controllers_count(probed: Probed) -> None:
    """Each kind once; a bridge of NVIDIA's, and others' cards, are none. The firmware's watchdog is named."""
    devices = {"a": "0x10de 0x2330 0x030200", "b": "0x10de 0x2330 0x030200", "c": "0x10de 0x22a3 0x068000"}
    for name, text in {**devices, "d": "0x1a03 0x2000 0x030000", "e": "0x10de 0x2e12 0x030000"}.items():
        for file, value in zip(("vendor", "device", "class"), text.split(), strict=True):
            probed.path(f"sys/bus/pci/devices/{name}/{file}", f"{value}\n")
    probed.path("sys/class/watchdog/watchdog0/identity", "SBSA Generic Watchdog\n")
    told = facts(probed)

    assert (told["gpu"], told["watchdog"]) == ("10de:2330 10de:2e12", "SBSA Generic Watchdog")


def test_a_machine_without_any_of_it_says_nothing(probed: Probed) -> None:
    """Its kernel is the running one; the rest is left out."""
    told = facts(probed)

    assert told["kernel"]
    assert not told.keys() & {"gpu", "driver", "driver_flavour", "cmdline", "watchdog"}
