"""Scenarios: data with a source each, and the files of /sys that they become."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lab import gb10
from lab.gb10 import tree

if TYPE_CHECKING:
    from pathlib import Path

ZONE = "class/thermal/thermal_zone{}/{}"


# Nothing of these moves but counters: GPU and board are in a steady state.
STEADY = sorted({*gb10.names()} - {"thermal-ramp"})


@pytest.mark.parametrize("name", STEADY)
def test_the_board_runs_ten_degrees_above_the_gpu(name: str) -> None:
    """Zone 0 is the hottest of seven and 10 °C above the GPU, as reported; each zone's critical trip is 104.85 °C."""
    text = gb10.scenario(name)
    files = tree.tree(text)
    zones = [int(files[ZONE.format(number, "temp")]) for number in range(7)]
    gpu = re.findall(r"^nvmlDeviceGetTemperature\.0 = (\d+)", text, flags=re.MULTILINE)
    assert max(zones) == zones[0] == (int(gpu[-1]) + 10) * 1000
    assert {files[ZONE.format(number, "trip_point_0_temp")] for number in range(7)} == {"104850"}
    assert ZONE.format(7, "temp") not in files


@pytest.mark.parametrize("name", gb10.names())
def test_the_second_sensor_of_a_reading_agrees_with_the_first(name: str) -> None:
    """The average and instant power fields equal the power, and the energy counter grows by just that power."""
    text = gb10.scenario(name)
    power = re.findall(r"^(?:nvmlDeviceGetPowerUsage|field\.185|field\.186) = (\d+)", text, flags=re.MULTILINE)
    growth = re.findall(r"^nvmlDeviceGetTotalEnergyConsumption = \d+ per_second (\d+)", text, flags=re.MULTILINE)
    assert len(power) % 3 == 0
    assert {*power[-3:]} == {growth[-1]}


def test_an_unknown_scenario_is_refused_with_the_known_ones() -> None:
    """The message names what there is."""
    with pytest.raises(ValueError, match=r"idle, inference, .*, stress"):
        gb10.scenario("stres")


def test_the_fake_machine_says_that_it_is_simulated() -> None:
    """Every scenario carries the truth label in the DMI asset tag."""
    assert {tree.tree(gb10.scenario(name))["class/dmi/id/chassis_asset_tag"] for name in gb10.names()} == {"simulated"}


names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}(/[a-z_][a-z0-9_]{0,8}){0,3}", fullmatch=True)
contents = st.text(st.characters(codec="ascii", exclude_characters="#", categories=["L", "N", "P", "S"]), max_size=12)


@given(st.dictionaries(names, contents, max_size=8))
def test_a_written_tree_is_read_back(files: dict[str, str]) -> None:
    """Lines made from any paths and contents give just these files."""
    text = "".join(f"sys/{name} = {content}  # a comment\n" for name, content in files.items())
    assume({"absent", "<<"}.isdisjoint(files.values()))
    assert tree.tree(text) == files


@given(st.text(max_size=200))
def test_no_text_leads_out_of_the_tree(text: str) -> None:
    """Whatever the text, no path is absolute or goes up: it is refused or stays below the target."""
    try:
        files = tree.tree(text)
    except ValueError:
        return
    assert not [name for name in files if name.startswith("/") or ".." in name.split("/")]


def test_a_path_out_of_the_tree_is_refused() -> None:
    """A line that climbs with `..` is an error, not a file elsewhere."""
    with pytest.raises(ValueError, match="not a path below sys"):
        tree.tree("sys/class/../../etc/passwd = x")


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    """A second scenario replaces each file by rename: who has the old one open reads that."""
    temperature = tmp_path / "sys/class/thermal/thermal_zone0/temp"
    gb10.put(gb10.scenario("idle"), tmp_path)
    with temperature.open() as opened:
        gb10.put(gb10.scenario("stress"), tmp_path)
        assert opened.read() == "48000\n"
    assert temperature.read_text() == "96000\n"


def test_what_the_next_scenario_lacks_is_gone(tmp_path: Path) -> None:
    """The power rails of `inference` leave with it: files, links and the folders that would be empty."""
    rails, device = tmp_path / "sys/class/hwmon/hwmon6/name", tmp_path / "sys/bus/platform"
    gb10.put(gb10.scenario("inference"), tmp_path)
    assert rails.read_text() == "spbm\n"
    gb10.put(gb10.scenario("idle"), tmp_path)
    assert not rails.is_symlink()
    assert not rails.parent.is_symlink()
    assert not device.exists()


def test_links_are_those_of_a_real_sysfs(tmp_path: Path) -> None:
    """A network device leads to its PCI device as in a real sysfs, and from there to its address."""
    gb10.put(gb10.scenario("idle"), tmp_path)
    device = tmp_path / "sys/class/net/enP2p1s0f0np0/device"
    assert device.resolve().name == "0002:01:00.0"
    assert (device / "vendor").read_text() == "0x15b3\n"


def test_the_command_writes_the_folder(tmp_path: Path) -> None:
    """`python -m lab.gb10 stress DIR` writes the files, readable by everybody."""
    command = [sys.executable, "-m", "lab.gb10", "stress", str(tmp_path)]
    subprocess.run(command, check=True, cwd=gb10.FOLDER.parents[1])
    product = tmp_path / "sys/class/dmi/id/product_name"
    assert product.read_text() == "NVIDIA_DGX_Spark\n"
    assert product.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="ldconfig -r changes root")
def test_install_makes_a_stand_in_findable_by_the_linker(tmp_path: Path) -> None:
    """After install the linker cache of the root names the library, nvidia-smi is executable and `idle` is loaded."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
    gb10.install(tmp_path)
    gb10.install(tmp_path)
    cache = subprocess.run(["ldconfig", "-r", str(tmp_path), "-p"], check=True, capture_output=True, text=True).stdout
    assert "=> /usr/lib/sparkfleet-lab/libnvidia-ml.so.1" in cache
    assert (tmp_path / "usr/bin/nvidia-smi").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "var/lib/gb10/scenario").read_text() == gb10.scenario("idle")


@pytest.mark.skipif(os.geteuid() != 0, reason="ldconfig -r changes root")
def test_the_installed_player_and_tools_run_alone(tmp_path: Path) -> None:
    """In a stand-in's tree the unit starts the copied player, and the tools answer from the scenario, labelled."""
    (tmp_path / "etc").mkdir()
    gb10.install(tmp_path)
    unit = (tmp_path / "etc/systemd/system" / gb10.UNIT).read_text()
    assert "-m lab.gb10.player /var/lib/gb10\n" in unit
    assert (tmp_path / "etc/systemd/system/multi-user.target.wants" / gb10.UNIT).is_symlink()
    environment = {"PYTHONPATH": str(tmp_path / gb10.LIBRARY_FOLDER), "GB10_FOLDER": str(tmp_path / "var/lib/gb10")}
    player = ["/usr/bin/python3", "-S", "-m", "lab.gb10.player", str(tmp_path / "var/lib/gb10"), "--once"]
    subprocess.run(player, check=True, cwd=tmp_path, env=environment)
    answers = []
    for command in ("usr/local/sbin/nvme smart-log /dev/nvme0 -o json", "usr/bin/fwupdmgr get-devices --json"):
        program, *arguments = command.split()
        done = subprocess.run(
            [str(tmp_path / program), *arguments], check=True, capture_output=True, text=True, env=environment
        )
        assert "simulated" in done.stderr
        answers.append(json.loads(done.stdout))
    assert answers[0]["unsafe_shutdowns"] == 3
    assert answers[1]["Devices"][0]["Name"] == "Embedded Controller"


def test_load_switches_a_stand_in(tmp_path: Path) -> None:
    """`load` changes the scenario file and the fake /sys together."""
    gb10.load(tmp_path, "stress")
    assert (tmp_path / "var/lib/gb10/scenario").read_text() == gb10.scenario("stress")
    assert (tmp_path / "var/lib/gb10/sys/class/thermal/thermal_zone0/temp").read_text() == "96000\n"
