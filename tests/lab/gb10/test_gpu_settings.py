"""What is described of the GPU's clocks → set once, and put back when the driver forgot: on the simulated driver."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import gb10
from sparkfleet.host import gpu_settings
from sparkfleet.host.gpu_settings import Gpu

PROGRAM = Path(gpu_settings.__file__)
CLOCK = ["--query-gpu=clocks.sm,persistence_mode", "--format=csv,noheader,nounits"]
GPUS = st.lists(
    st.builds(
        Gpu,
        index=st.sampled_from(["0", "1"]),
        clock_mhz=st.none() | st.floats(0, 4000),
        persistent=st.sampled_from([None, True, False]),
    ),
    min_size=1,
    max_size=4,
)
CAPS = st.none() | st.integers(208, 3003)


class Host:
    """A stand-in's driver, sysfs and state below one folder, and the program as its unit runs it."""

    def __init__(self, built: Path, folder: Path) -> None:
        self.built, self.folder, self.driver = built, folder, folder / "driver"
        gb10.put(gb10.scenario("clock-cap-lost"), folder / "gb10")
        paths = {"LD_LIBRARY_PATH": built, "NVML_SCENARIO": folder / "gb10/scenario", "NVML_SETTINGS": self.driver}
        self.environment = {name: str(path) for name, path in paths.items()}
        self.environment["PATH"] = f"{built}:{os.environ['PATH']}"

    def run(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """One beat of the timer."""
        places = {"sysfs": self.folder / "gb10/sys", "state": self.folder / "state.json", "out": self.folder / "out"}
        words = [f"--{name}={place}" for name, place in places.items()]
        return subprocess.run(
            [sys.executable, "-IS", str(PROGRAM), *words, *flags],
            capture_output=True, text=True, check=False, env=self.environment,
        )  # fmt: skip

    def smi(self, *words: str) -> str:
        """What nvidia-smi prints."""
        command = [str(self.built / "nvidia-smi"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=self.environment).stdout.strip()

    def load_driver_anew(self) -> None:
        """The module's folder in sysfs is a new one, and the driver knows nothing."""
        module = self.folder / "gb10/sys/module/nvidia"
        shutil.copytree(module, module.with_name("new"))
        shutil.rmtree(module)
        module.with_name("new").rename(module)
        shutil.rmtree(self.driver)

    def metrics(self) -> dict[str, float]:
        """What the exporter will serve."""
        lines = (line.split() for line in (self.folder / "out").read_text().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in lines}


@pytest.fixture
def host(built: Path, tmp_path: Path) -> Host:
    """One at full clock: 2489 MHz."""
    return Host(built, tmp_path)


def test_a_described_cap_is_set_once(host: Host) -> None:
    """The first beat sets it and says why, the second finds nothing to do and says nothing."""
    first, second = host.run("--cap-mhz=2000"), host.run("--cap-mhz=2000")

    assert "this driver was just loaded" in first.stdout
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert host.smi(*CLOCK) == "1989, Enabled"
    assert host.metrics() == {"sparkfleet_gpu_clock_cap_put_back_total": 0, "sparkfleet_gpu_clock_cap_set_hertz": 2e9}


def test_a_driver_that_was_loaded_anew_gets_it_back(host: Host) -> None:
    """Cap and persistence mode, at the next beat; it is counted."""
    host.run("--cap-mhz=2000")
    host.load_driver_anew()
    host.smi("-pm", "0")
    assert host.smi(*CLOCK) == "2489, Disabled"

    said = host.run("--cap-mhz=2000").stdout

    assert "persistence mode was off" in said
    assert "this driver was just loaded" in said
    assert host.smi(*CLOCK) == "1989, Enabled"
    assert host.metrics()["sparkfleet_gpu_clock_cap_put_back_total"] == 1


def test_a_cap_that_somebody_took_away_is_put_back(host: Host) -> None:
    """A GPU that runs above the cap shows that it is gone."""
    host.run("--cap-mhz=2000")
    host.smi("-rgc")

    assert "GPU 0 runs at 2489 MHz" in host.run("--cap-mhz=2000").stdout
    assert host.smi(*CLOCK) == "1989, Enabled"


def test_a_cap_that_is_no_longer_described_is_taken_away_once(host: Host) -> None:
    """After that a cap of somebody's own is left."""
    host.run("--cap-mhz=2000")
    assert "no longer described" in host.run().stdout
    assert host.smi(*CLOCK) == "2489, Enabled"

    host.smi("-lgc", "208,1500")
    assert host.run().stdout == ""
    assert host.smi(*CLOCK) == "1489, Enabled"


def test_without_a_driver_nothing_is_set(host: Host) -> None:
    """Before the driver is there the unit ends well: udev starts it again."""
    shutil.rmtree(host.folder / "gb10/sys/module")
    done = host.run("--cap-mhz=2000")

    assert (done.returncode, done.stdout) == (0, "no NVIDIA driver is loaded: nothing to set\n")


def test_a_driver_that_refuses_is_told_and_tried_again(host: Host) -> None:
    """The unit fails with nvidia-smi's words; nothing is noted as set."""
    host.driver.write_text("not a folder")
    done = host.run("--cap-mhz=2000")
    assert done.returncode == 1
    assert "ended with 4" in done.stderr

    host.driver.unlink()
    assert "just loaded" in host.run("--cap-mhz=2000").stdout


def test_a_state_that_cannot_be_read_sets_all_anew(host: Host) -> None:
    """Half a file is no state."""
    (host.folder / "state.json").write_text('{"driver": "580')
    assert host.run("--cap-mhz=2000").returncode == 0
    assert host.smi(*CLOCK) == "1989, Enabled"


@given(CAPS, CAPS, GPUS, st.booleans())
def test_after_a_beat_nothing_is_left_to_do(cap: int | None, had: int | None, gpus: list[Gpu], known: bool) -> None:
    """Whatever was found: once its words were carried out, the next beat has none."""
    before = {"driver": "580 1" if known else "580 0", "cap_mhz": had, "put_back": 0}
    words = [found for found, _ in gpu_settings.wanted(cap, "580 1", before, gpus)]
    lowest = min(cap or 9999, 9999)
    settled = [Gpu(gpu.index, min(gpu.clock_mhz, lowest) if gpu.clock_mhz else None, True) for gpu in gpus]
    after = {"driver": "580 1", "cap_mhz": cap, "put_back": 0}

    assert gpu_settings.wanted(cap, "580 1", after, settled) == []
    assert ("--reset-gpu-clocks" in {word for found in words for word in found}) == (cap is None and had is not None)


@pytest.mark.parametrize("text", ["", "No devices were found", "0, 1, 2, 3"])
def test_what_is_no_table_of_gpus_is_refused(text: str) -> None:
    """Nothing is set on the word of an answer that nobody understands."""
    with pytest.raises(gpu_settings.RefusedError, match="names no GPU"):
        gpu_settings.read(text)
