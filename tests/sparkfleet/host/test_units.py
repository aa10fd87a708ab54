"""The rendered units → what systemd itself says of them."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from sparkfleet import config
from sparkfleet.host.desired import desired
from tests.sparkfleet.host.conftest import description

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


@pytest.mark.parametrize("unit", [EXPORTER, "sparkfleet-rotation-dates.service"])
def test_what_runs_unattended_is_hardly_exposed(unit: str, units: Path) -> None:
    """What runs on every Spark, and nobody looks at, may do little."""
    said = systemd_analyze("security", "--offline=yes", str(units / unit))
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", said)

    assert exposure, said
    assert float(exposure[1]) <= MOST_EXPOSED


def test_the_exporter_still_sees_the_gpus_devices(units: Path) -> None:
    """Each of these makes systemd hide devices that are not listed (ProtectClock before version 253, systemd#18142)."""
    text = (units / EXPORTER).read_text()

    for word in ("ProtectClock", "PrivateDevices", "DeviceAllow", "DevicePolicy"):
        assert not re.search(rf"^{word}=", text, re.MULTILINE), word


def settings_of(text: str) -> dict[str, str]:
    """A unit's or drop-in's settings; the last one of a name."""
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))


def megabytes(text: str) -> int:
    """A size such as 64M."""
    return int(text.removesuffix("M"))


def test_a_protected_sshd_protects_nothing_that_people_start(fleet: Fleet, project_sources: Sources) -> None:
    """Sshd hands the score that it was started with down to every session: the model that eats the memory, too."""
    drop_in = f"{UNITS}ssh.service.d/50-sparkfleet.conf"
    found = settings_of(desired(fleet, "spark-01", project_sources).files[drop_in].content.decode())

    assert "OOMScoreAdjust" not in found
    assert found["Slice"] == "sparkfleet.slice"


def test_the_slice_is_promised_what_its_units_are(project_sources: Sources) -> None:
    """A promise of a unit counts only as far as the slice above makes it, too."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"].append("tailnet")
    raw["tailnet"] = {"auth_key": "env:KEY"}
    files = desired(config.parse(raw), "spark-01", project_sources).files
    units = {path: settings_of(file.content.decode()) for path, file in files.items() if path.startswith(UNITS)}
    promised = {path: megabytes(found["MemoryMin"]) for path, found in units.items() if "MemoryMin" in found}
    whole = promised.pop(f"{UNITS}sparkfleet.slice")

    assert {path.removeprefix(UNITS).partition("/")[0] for path in promised} == {
        EXPORTER,
        "ssh.service.d",
        "tailscaled.service.d",
    }
    assert sum(promised.values()) <= whole
