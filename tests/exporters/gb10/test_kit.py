"""The capture kit on a simulated machine: what it writes is that machine again, and nothing that names it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporters.gb10.capture import kept, nvml
from lab import gb10
from lab.gb10.statements import statements

if TYPE_CHECKING:
    from tests.exporters.gb10.conftest import Machine

CHECKOUT = Path(__file__).resolve().parents[3]
SERIAL, MAC = "S5XNNJ0R512345", "48:b0:2d:ab:cd:ef"
# Of one machine, planted where a real one has them.
IDENTITY = f"""
sys/class/dmi/id/product_serial = {SERIAL}
sys/devices/pci0000:00/0000:00:00.0/0000:01:00.0/net/enp1s0f0np0/address = {MAC}
root/etc/hostname = acme-spark-07
tools/nvme/smart-log["media_errors"] = 0, "SerialNumber" : "ACMEDRIVE77",
kmsg += 4 nvme nvme0: drive acmedrive77 of ACME-SPARK-07 ({MAC.upper().replace(":", "-")}) {SERIAL.lower()}
kmsg += 5 Kernel command line: nvidia.license=HUNTER2
"""


def run(machine: Machine, *arguments: str, program: tuple[str, ...] = ("-m", "exporters.gb10.capture")) -> str:
    """The kit on this machine; what it prints."""
    folder = machine.folder
    environment = machine.environment | {"NVML_SCENARIO_AGE": "70", "GB10_FOLDER": str(folder)}
    environment["PATH"] = f"{machine.library}:{environment['PATH']}"
    paths = [f"--path.{name}fs={folder / name}" for name in ("proc", "sys", "root")]
    command = [sys.executable, *program, *paths, f"--kmsg={folder / 'kmsg'}", *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def unmasked(text: str) -> list[str]:
    """An exposition without what differs in time or by masking."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    restless = r"uuid=|boot_info|container:|duration|_timestamp|_age_|clock_seconds|samples_total|filesystem"
    return [line for line in lines if not re.search(restless, line)]


@pytest.mark.parametrize("name", ["inference", "memory-wedge", "connectx-twin-down"])
def test_a_capture_is_the_machine_again(name: str, machine: Machine, tmp_path: Path) -> None:
    """Replayed, a capture gives every series that the captured machine gave, values included."""
    first = machine.replay(gb10.scenario(name), 70)
    capture = tmp_path / "a.capture"
    run(machine, "--out", str(capture))
    again = machine.replay(capture.read_text(), 70)
    assert unmasked(again) == unmasked(first)


def test_nothing_names_the_machine(machine: Machine, tmp_path: Path) -> None:
    """Serial numbers, MAC address and host name are in the capture in no spelling, wherever they were found."""
    gb10.put(gb10.scenario("idle") + IDENTITY, machine.folder)
    capture = tmp_path / "a.capture"
    printed = run(machine, "--out", str(capture), "--state", "told by acme-spark-07")
    text = re.sub("[^0-9a-z]", "", (capture.read_text() + printed).lower())
    for secret in (SERIAL, MAC, "acmespark07", "acmedrive77", "b10a00000000", "hunter2"):
        assert re.sub("[^0-9a-z]", "", secret.lower()) not in text
    assert "nvme0: drive" in capture.read_text()
    assert re.search(r"^mac +48b0…", printed, flags=re.MULTILINE)


def test_an_existing_file_is_never_overwritten(machine: Machine, tmp_path: Path) -> None:
    """The kit refuses, and the file is as it was."""
    capture = tmp_path / "a.capture"
    capture.write_text("precious")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run(machine, "--out", str(capture))
    assert "is there already" in refused.value.stderr
    assert capture.read_text() == "precious"


def test_the_packed_kit_is_one_file(machine: Machine, tmp_path: Path) -> None:
    """`--pack` writes a file that a bare Python runs anywhere, without the checkout; its refusal is an exit code."""
    packed, capture = tmp_path / "capture.py", tmp_path / "a.capture"
    run(machine, "--pack", str(packed))
    run(machine, "--out", str(capture), program=("-I", "-S", str(packed)))
    assert statements(capture.read_text()).files["proc/meminfo"].startswith("MemTotal:       127600748 kB")
    with pytest.raises(subprocess.CalledProcessError):
        run(machine, "--out", str(capture), program=("-I", "-S", str(packed)))


def test_a_machine_without_a_driver_is_captured_too(machine: Machine, tmp_path: Path) -> None:
    """No library is code 9 from the start; the host's files are there."""
    machine.library = None
    capture = tmp_path / "a.capture"
    run(machine, "--out", str(capture))
    assert "nvmlInit = error 9\n" in capture.read_text()
    assert "thermal_zone0/temp" in capture.read_text()


def test_the_kit_asks_whatever_the_exporter_asks() -> None:
    """Every NVML call of the sampler is one of the kit's, so that a capture never lacks an answer."""
    sampler = ast.parse((CHECKOUT / "exporters/gb10/sampler.py").read_text())
    used = {node.attr for node in ast.walk(sampler) if isinstance(node, ast.Attribute)}
    called = {name.removesuffix("_v3") for name in used if name.startswith(("nvmlDevice", "nvmlSystem"))}
    kit = Path(nvml.__file__).read_text()
    assert {name for name in called if not re.search(rf'"{name}(_v\d)?"', kit)} == set()


@pytest.mark.parametrize("text", ["one", "two\nlines", "a # sign", "ramp 1 2 3", "absent", ">>\n<<", "", " blank"])
def test_any_text_is_kept(text: str) -> None:
    """Whatever a file says, the line or block of it gives the same text again; a `>>` alone gets a blank behind it."""
    path = "sys/class/dmi/id/product_name"
    assert statements(kept.file_lines(path, text + "\n")).files[path].replace(">> ", ">>") == text
