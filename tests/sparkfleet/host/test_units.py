"""The rendered units → what systemd itself says of them."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host.desired import desired

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet

UNITS = "/etc/systemd/system/"
EXPORTER = "sparkfleet-gb10-exporter.service"
MOST_EXPOSED = 2.5  # of 10, by `systemd-analyze security`; a unit without a sandbox has 9.6


@pytest.fixture
def units(fleet: Fleet, project_sources: Sources, tmp_path: Path) -> Path:
    """Every unit of our own of a host with all roles, in one folder."""
    for path, file in desired(fleet, "spark-01", project_sources).files.items():
        name = path.removeprefix(UNITS)
        if path.startswith(UNITS) and "/" not in name:
            (tmp_path / name).write_bytes(file.content)
    return tmp_path


def systemd_analyze(*words: str) -> str:
    """What the program prints; the test fails when it finds fault."""
    done = subprocess.run(["systemd-analyze", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_knows_every_word_of_our_units(units: Path) -> None:
    """A mistyped setting is no error to systemd, only a line in its log: the sandbox would be missing."""
    said = systemd_analyze("verify", "--man=no", *(str(unit) for unit in sorted(units.iterdir())))

    assert not [line for line in said.splitlines() if str(units) in line], said


def test_the_exporter_is_hardly_exposed(units: Path) -> None:
    """What runs on every Spark, unattended, may do little."""
    said = systemd_analyze("security", "--offline=yes", str(units / EXPORTER))
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", said)

    assert exposure, said
    assert float(exposure[1]) <= MOST_EXPOSED


def test_the_exporter_still_sees_the_gpus_devices(units: Path) -> None:
    """Each of these makes systemd hide devices that are not listed (ProtectClock before version 253, systemd#18142)."""
    text = (units / EXPORTER).read_text()

    for word in ("ProtectClock", "PrivateDevices", "DeviceAllow", "DevicePolicy"):
        assert not re.search(rf"^{word}=", text, re.MULTILINE), word
