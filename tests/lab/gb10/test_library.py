"""The simulated libnvidia-ml.so.1 obeys its scenario, and answers as a GB10 does."""

from __future__ import annotations

import ctypes
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pynvml as nvml
import pytest

from lab import gb10

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.gb10.conftest import Simulator

ONE_GPU = "nvmlDeviceGetCount_v2 = 1\n"


def code(call: Callable[..., Any], *arguments: Any, **keywords: Any) -> int | None:
    """The NVML return code of a call; None when it succeeds."""
    try:
        call(*arguments, **keywords)
    except nvml.NVMLError as error:
        return int(error.value)
    return None


def test_exports_exactly_the_symbols_of_the_real_library(built: Path) -> None:
    """The dynamic symbols are those of symbols.txt, no more and no fewer."""
    command = ["nm", "-D", "--defined-only", str(built / "libnvidia-ml.so.1")]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert {line.split()[-1] for line in lines} == set((gb10.FOLDER / "symbols.txt").read_text().split())


def test_a_gb10_has_no_memory_figures(simulator: Simulator) -> None:
    """Memory info of both versions, BAR1 and the memory clock are not supported; the bus width is a false 0."""
    simulator.say(gb10.scenario("inference"))
    gpu = simulator.gpu()
    assert code(nvml.nvmlDeviceGetMemoryInfo, gpu) == nvml.NVML_ERROR_NOT_SUPPORTED
    assert code(nvml.nvmlDeviceGetMemoryInfo, gpu, version=nvml.nvmlMemory_v2) == nvml.NVML_ERROR_NOT_SUPPORTED
    assert code(nvml.nvmlDeviceGetBAR1MemoryInfo, gpu) == nvml.NVML_ERROR_NOT_SUPPORTED
    assert code(nvml.nvmlDeviceGetClockInfo, gpu, nvml.NVML_CLOCK_MEM) == nvml.NVML_ERROR_NOT_SUPPORTED
    assert nvml.nvmlDeviceGetMemoryBusWidth(gpu) == 0


def test_a_gb10_tells_what_the_records_hold(simulator: Simulator) -> None:
    """Identity, clocks, power, margin, counters and processes come back as the scenario has them."""
    simulator.say(gb10.scenario("stress"))
    gpu = simulator.gpu()
    assert nvml.nvmlDeviceGetName(gpu) == "NVIDIA GB10"
    assert nvml.nvmlDeviceGetPciInfo(gpu).busId == "0000000F:01:00.0"
    assert nvml.nvmlDeviceGetPciInfo(gpu).pciDeviceId == 0x2E1210DE
    assert nvml.nvmlDeviceGetCudaComputeCapability(gpu) == (12, 1)
    assert nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM) == 2275
    assert nvml.nvmlDeviceGetMaxClockInfo(gpu, nvml.NVML_CLOCK_SM) == 3003
    assert nvml.nvmlDeviceGetPowerUsage(gpu) == 81100
    assert nvml.nvmlDeviceGetTemperatureV(gpu, nvml.NVML_TEMPERATURE_GPU) == 86
    assert nvml.nvmlDeviceGetMarginTemperature(gpu) == 6
    assert nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu) == 0x68
    assert [process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(gpu)] == [6872]
    fields = nvml.nvmlDeviceGetFieldValues(gpu, [74, 193, 186, 75])
    assert [field.nvmlReturn for field in fields] == [0, 0, 0, nvml.NVML_ERROR_NOT_SUPPORTED]
    values = [fields[0].value.ullVal, fields[1].value.siVal, fields[2].value.uiVal]
    assert values == [10_800_240_649_000, -5, 81_100]


def test_a_wrong_version_word_is_refused(simulator: Simulator) -> None:
    """A structure whose version word is not the library's gives code 25, as the real library does."""
    assert code(nvml.nvmlDeviceGetMemoryInfo, simulator.gpu(), version=0x1000028) == 25


def test_what_is_not_named_is_not_supported(simulator: Simulator) -> None:
    """A call that the scenario does not name, and one that has no body in the simulator, answer code 3."""
    simulator.say(ONE_GPU + "nvmlDeviceGetFanSpeed = 30\n")
    assert code(nvml.nvmlDeviceGetPowerUsage, simulator.gpu()) == nvml.NVML_ERROR_NOT_SUPPORTED
    assert code(nvml.nvmlDeviceGetFanSpeed, simulator.gpu()) == nvml.NVML_ERROR_NOT_SUPPORTED


def test_a_later_line_replaces_an_earlier_one(simulator: Simulator) -> None:
    """Of two lines for one reading the last counts, and a line with the argument beats one without."""
    clocks = "nvmlDeviceGetClockInfo.1 = 7\nnvmlDeviceGetClockInfo = 9\n"
    simulator.say(ONE_GPU + "nvmlDeviceGetPowerUsage = 1\nnvmlDeviceGetPowerUsage = 2\n" + clocks)
    gpu = simulator.gpu()
    assert nvml.nvmlDeviceGetPowerUsage(gpu) == 2
    assert nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM) == 7
    assert nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_GRAPHICS) == 9


def test_a_new_scenario_is_read_at_once(simulator: Simulator) -> None:
    """After a rename the next call answers from the new file, error codes included."""
    simulator.say(ONE_GPU + "nvmlDeviceGetPowerUsage = 1\n")
    gpu = simulator.gpu()
    assert nvml.nvmlDeviceGetPowerUsage(gpu) == 1
    simulator.say(ONE_GPU + "nvmlDeviceGetPowerUsage = error 15\n")
    assert code(nvml.nvmlDeviceGetPowerUsage, gpu) == nvml.NVML_ERROR_GPU_IS_LOST


def test_no_scenario_is_no_driver(simulator: Simulator) -> None:
    """Without the file every call says that the driver is not loaded, and NVML does not start."""
    simulator.path.unlink()
    assert code(nvml.nvmlDeviceGetCount) == nvml.NVML_ERROR_DRIVER_NOT_LOADED
    assert code(nvml.nvmlInit) == nvml.NVML_ERROR_DRIVER_NOT_LOADED


def test_calls_before_init_are_refused(simulator: Simulator) -> None:
    """Between shutdown and the next init the library is uninitialized."""
    gpu = simulator.gpu()
    nvml.nvmlShutdown()
    assert code(nvml.nvmlDeviceGetName, gpu) == nvml.NVML_ERROR_UNINITIALIZED
    nvml.nvmlInit()


def test_a_value_grows_with_the_age_of_the_file(simulator: Simulator) -> None:
    """`per_second` adds its rate for each second since the file was written."""
    simulator.say(ONE_GPU + "nvmlDeviceGetTotalEnergyConsumption = 1000 per_second 1000000\n")
    gpu, written = simulator.gpu(), simulator.path.stat().st_mtime
    least = (time.time() - written) * 1e6
    energy = nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)
    most = (time.time() - written) * 1e6
    assert least <= energy - 1000 <= most + 1


def test_a_ramp_goes_from_one_value_to_another(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ramp A B SECONDS` is A at first, half way in between, and stays at B; an age can be held still."""
    simulator.say(ONE_GPU + "nvmlDeviceGetPowerUsage = ramp 1000 3000 10\n")
    gpu, seen = simulator.gpu(), []
    for age in (0, 5, 10, 99):
        monkeypatch.setenv("NVML_SCENARIO_AGE", str(age))
        seen.append(nvml.nvmlDeviceGetPowerUsage(gpu))
    assert seen == [1000, 2000, 3000, 3000]


def test_a_fault_can_begin_and_end_in_the_middle(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """`after` and `until` bound a line: the GPU is lost, another error takes its place, then all is as before."""
    lines = "nvmlDeviceGetPowerUsage = 5\nnvmlDeviceGetPowerUsage = error 4 after 20 until 30\n"
    simulator.say(ONE_GPU + lines + "* = error 15 after 10 until 20\nprocess = compute 7 100 until 10\n")
    gpu, seen = simulator.gpu(), []
    for age in (0, 10, 19.9, 20, 30):
        monkeypatch.setenv("NVML_SCENARIO_AGE", str(age))
        seen.append(code(nvml.nvmlDeviceGetPowerUsage, gpu))
    assert seen == [None, 15, 15, 4, None]
    assert nvml.nvmlDeviceGetComputeRunningProcesses(gpu) == []


def test_growth_begins_with_its_line(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A counter that grows `after` 10 s has its first value then, not ten seconds' worth."""
    simulator.say(ONE_GPU + "nvmlDeviceGetTotalEnergyConsumption = 100 per_second 7 after 10\n")
    monkeypatch.setenv("NVML_SCENARIO_AGE", "13")
    assert nvml.nvmlDeviceGetTotalEnergyConsumption(simulator.gpu()) == 121


def test_lines_about_files_are_passed_over(simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    """Files, links, blocks with whatever in them and kernel records are no complaint, and hide no line below."""
    simulator.say(
        ONE_GPU + "sys/a = 1\nproc/b = <<\nnvmlDeviceGetPowerUsage = 1\nnonsense\n>>\nsys/c -> d\nkmsg += 3 text\n"
        "kmsg += <<\n3 text\n>>\ntools/x/y = z\nroot/etc/r = s\nnvmlDeviceGetPerformanceState = 8\n"
    )
    assert nvml.nvmlDeviceGetPerformanceState(simulator.gpu()) == 8
    assert code(nvml.nvmlDeviceGetPowerUsage, simulator.gpu()) == nvml.NVML_ERROR_NOT_SUPPORTED
    assert capfd.readouterr().err == ""


def test_a_blocked_call_blocks_nobody_else(simulator: Simulator) -> None:
    """While one thread waits in a call, another thread's call comes back."""
    simulator.say(ONE_GPU + "nvmlDeviceGetPowerUsage = 9\nnvmlDeviceGetPerformanceState = 0 wait 2\n")
    gpu, answers = simulator.gpu(), list[int]()
    thread = threading.Thread(target=lambda: answers.append(nvml.nvmlDeviceGetPerformanceState(gpu)))
    started = time.monotonic()
    thread.start()
    assert nvml.nvmlDeviceGetPowerUsage(gpu) == 9
    assert time.monotonic() - started < 1.5
    thread.join()
    assert answers == [0]
    assert time.monotonic() - started >= 2


def test_a_star_speaks_for_every_call_about_a_gpu(simulator: Simulator) -> None:
    """`* = error 15` loses the GPU for every call, its handle included, while the system calls go on."""
    simulator.say(gb10.scenario("idle") + "* = error 15\n")
    assert code(nvml.nvmlDeviceGetHandleByIndex, 0) == nvml.NVML_ERROR_GPU_IS_LOST
    assert nvml.nvmlDeviceGetCount() == 1
    assert nvml.nvmlSystemGetDriverVersion() == "580.159.03"


def test_each_gpu_answers_for_itself(simulator: Simulator) -> None:
    """A `[gpu N]` part holds for that GPU only, and a GPU is found by its own UUID."""
    simulator.say(
        "nvmlDeviceGetCount_v2 = 2\nnvmlDeviceGetPowerUsage = 5\nnvmlDeviceGetUUID = GPU-a\n"
        "[gpu 1]\nnvmlDeviceGetPowerUsage = 7\nnvmlDeviceGetUUID = GPU-b\n[every gpu]\nnvmlDeviceGetPowerUsage = 6\n"
    )
    assert [nvml.nvmlDeviceGetPowerUsage(simulator.gpu(index)) for index in (0, 1)] == [6, 7]
    assert nvml.nvmlDeviceGetIndex(nvml.nvmlDeviceGetHandleByUUID("GPU-b")) == 1
    assert code(nvml.nvmlDeviceGetHandleByIndex, 2) == nvml.NVML_ERROR_INVALID_ARGUMENT


def test_a_process_list_that_does_not_fit_says_how_long_it_is(simulator: Simulator) -> None:
    """With too little room the call sets the count, writes nothing, gives 7; version 1 has 16 bytes a process."""
    simulator.say(ONE_GPU + "process = compute 11 100\nprocess = graphics 9 1\nprocess = compute 12 200\n")
    gpu, count, room = simulator.gpu(), ctypes.c_uint(1), (ctypes.c_uint64 * 4)()
    assert simulator.library.nvmlDeviceGetComputeRunningProcesses(gpu, ctypes.byref(count), room) == 7
    assert (count.value, list(room)) == (2, [0, 0, 0, 0])
    assert simulator.library.nvmlDeviceGetComputeRunningProcesses(gpu, ctypes.byref(count), room) == 0
    assert [room[0] & 0xFFFFFFFF, room[1], room[2] & 0xFFFFFFFF, room[3]] == [11, 100, 12, 200]


def test_a_symbol_can_be_really_absent(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library built without a symbol has none to find: the client reports 13, which is not `not supported`."""
    out = gb10.build(tmp_path / "older", absent=("nvmlDeviceGetMarginTemperature",))
    older = ctypes.CDLL(str(out / "libnvidia-ml.so.1"))
    assert not hasattr(older, "nvmlDeviceGetMarginTemperature")
    with monkeypatch.context() as patch:
        patch.setattr(nvml, "nvmlLib", older)
        patch.setattr(nvml, "_nvmlGetFunctionPointer_cache", {})
        nvml.nvmlInit()
        assert code(nvml.nvmlDeviceGetMarginTemperature, simulator.gpu()) == nvml.NVML_ERROR_FUNCTION_NOT_FOUND


def test_a_line_that_makes_no_sense_is_named(simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    """A line outside the grammar is skipped and its number written to standard error; the others hold."""
    simulator.say(ONE_GPU + "nonsense\nnvmlDeviceGetPowerUsage = 5 wait soon\nnvmlDeviceGetPerformanceState = 8\n")
    assert nvml.nvmlDeviceGetPerformanceState(simulator.gpu()) == 8
    complaints = capfd.readouterr().err.splitlines()
    assert [line.split(":")[-2] for line in complaints] == ["2", "3"]


@pytest.mark.parametrize("name", gb10.names())
def test_every_scenario_is_understood(name: str, simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    """The library has no complaint about any line of the shipped scenarios."""
    simulator.say(gb10.scenario(name))
    assert nvml.nvmlDeviceGetName(simulator.gpu()) == "NVIDIA GB10"
    assert capfd.readouterr().err == ""
