"""The nvidia-smi stand-in prints what a GB10's prints, and says that it is simulated."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab import gb10

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Smi = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def smi(built: Path, tmp_path: Path) -> Smi:
    """Runs the stand-in on the stress scenario."""
    scenario = tmp_path / "scenario"
    scenario.write_text(gb10.scenario("stress"))
    environment = os.environ | {"LD_LIBRARY_PATH": str(built), "NVML_SCENARIO": str(scenario)}

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        command = [str(built / "nvidia-smi"), *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True, env=environment | changes)

    return run


def test_csv_has_units_and_not_available(smi: Smi) -> None:
    """Fields that a GB10 lacks are [N/A], the others have their unit."""
    fields = (
        "name,memory.total,memory.used,temperature.gpu,power.draw,clocks.sm,clocks.mem,utilization.gpu,pstate,fan.speed"
    )
    answer = smi(f"--query-gpu={fields}", "--format=csv,noheader")
    assert answer.stdout == "NVIDIA GB10, [N/A], [N/A], 86, 81.10 W, 2275 MHz, [N/A], 96 %, P0, [N/A]\n"


def test_csv_without_units_keeps_them_in_the_header(smi: Smi) -> None:
    """`nounits` strips the values, and the header names the units all the same."""
    answer = smi("--query-gpu=driver_version,power.draw,memory.total", "--format=csv,nounits")
    assert answer.stdout == "driver_version, power.draw [W], memory.total [MiB]\n580.159.03, 81.10, [N/A]\n"


def test_what_computes_is_listed(smi: Smi) -> None:
    """Who asks whether a host is busy gets one line a job, and none for a desktop."""
    assert smi("--query-compute-apps=pid,process_name", "--format=csv,noheader").stdout.count("\n") == 1


def test_an_unknown_field_ends_with_2(smi: Smi) -> None:
    """A field that does not exist is named."""
    answer = smi("--query-gpu=name,colour")
    assert (answer.returncode, answer.stdout) == (2, "Field 'colour' is not a valid field to query.\n")


def test_the_list_names_gpu_and_uuid(smi: Smi) -> None:
    """`-L` has the form of the real one."""
    assert smi("-L").stdout == "GPU 0: NVIDIA GB10 (UUID: GPU-51400000-0000-4000-8000-00000000b10a)\n"


@pytest.mark.parametrize("arguments", [[], ["-q"]])
def test_forms_for_people_say_simulated(arguments: list[str], smi: Smi) -> None:
    """The table and the long form carry the truth label and the GPU's name."""
    printed = smi(*arguments).stdout
    assert "simulated" in printed.lower()
    assert "NVIDIA GB10" in printed


def test_an_older_library_prints_not_available(smi: Smi, tmp_path: Path) -> None:
    """A symbol that the library lacks is a field without a value, not a crash."""
    older = gb10.build(tmp_path / "older", absent=("nvmlDeviceGetMarginTemperature",))
    answer = smi("--query-gpu=temperature.gpu.tlimit", "--format=csv,noheader", LD_LIBRARY_PATH=str(older))
    assert (answer.returncode, answer.stdout) == (0, "[N/A]\n")


def test_counters_are_in_microseconds(smi: Smi) -> None:
    """The cumulative counters are printed in us, a thousandth of the library's own number."""
    answer = smi("--query-gpu=clocks_event_reasons_counters.sw_power_cap", "--format=csv,noheader")
    assert answer.stdout == "10800240649 us\n"


def test_without_a_driver_it_ends_with_9(smi: Smi) -> None:
    """No scenario is no driver: the message and exit code of the real one."""
    answer = smi(NVML_SCENARIO="/nonexistent")
    assert answer.returncode == 9
    assert "couldn't communicate with the NVIDIA driver" in answer.stdout
