"""NVML → one line of JSON a sample on standard output, every INTERVAL seconds, until nobody reads it.

A program of its own, because a call to NVML can block for many minutes (491-737 s were seen on machines out of memory)
and a thread that blocks in the driver cannot be given up, while a process can be killed and replaced. It stays small:
no import but pynvml and what that imports anyway.

A line is {"driver": TEXT, "gpus": [GPU, …]} or, when NVML as a whole gives nothing, {"failure": TEXT}. A GPU is

    {"index": N, "values": {READING: NUMBER or TEXT or OBJECT}, "errors": {READING: NVML return code},
     "seldom": {"age_s": SECONDS, "values": {…}, "errors": {…}}}

with numbers in NVML's own units. `values` were read for this very line; `seldom` holds what is slow to read, or hardly
ever changes, and how long before this line it was read. Without a handle of the GPU there is no `seldom`.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time

import pynvml as nvml

TYPE_CHECKING = False  # as typing has it, whose import would cost half a MiB
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Json: TypeAlias = dict[str, Any]

# Measured on an H200 (driver 580.159.04), processor time in the median: energy 3-6 ms, highest clock 1.7, application
# clock 1.2, margin 1.2, field values 1-3 ms, up to 17 ms in one of a hundred; every other reading 8-50 µs. The slow
# ones are read each fifth sample, and at least each 5 s where samples are further apart.
SELDOM_EVERY_S, SELDOM_EVERY_SAMPLES = 5.0, 5
RESTART_EVERY_S = 30.0  # while a GPU gives nothing: a driver that was loaded again answers only a new nvmlInit

MOST_PROCESSES = 32  # told one by one, the largest; the rest as a sum, so that no process table makes a line long
PR_SET_PDEATHSIG, SIGKILL = 1, 9  # linux/prctl.h; the module `signal` would load `enum`

EVENT_COUNTERS = {
    "sw_power_cap": nvml.NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP,
    "sync_boost": nvml.NVML_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST,
    "sw_thermal_slowdown": nvml.NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN,
    "hw_thermal_slowdown": nvml.NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN,
    "hw_power_brake": nvml.NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN,
}


def event_counters(gpu: Any) -> dict[str, int]:
    """How long each reason held the clocks down, in the driver's unit; a reason that it does not count is left out."""
    fields = nvml.nvmlDeviceGetFieldValues(gpu, list(EVENT_COUNTERS.values()))
    counted = zip(EVENT_COUNTERS, fields, strict=True)
    return {reason: field.value.ullVal for reason, field in counted if field.nvmlReturn == nvml.NVML_SUCCESS}


def memory(gpu: Any) -> dict[str, int]:
    """Memory of the GPU's own, in bytes; a GB10 has none and says so.

    By version 2 of the call, as nvidia-smi has it: version 1 counts what the driver reserves for itself as used.
    """
    info = nvml.nvmlDeviceGetMemoryInfo(gpu, version=nvml.nvmlMemory_v2)
    return {"total": info.total, "used": info.used}


def processes(gpu: Any) -> Json:
    """Who uses the GPU: how many processes, how many of them compute, and the bytes of the largest by process id.

    A process can compute and draw: it is told once. A driver that lists no drawing processes has the others.
    """
    compute = {process.pid: process.usedGpuMemory for process in nvml.nvmlDeviceGetComputeRunningProcesses_v3(gpu)}
    found = dict(compute)
    try:
        drawing = nvml.nvmlDeviceGetGraphicsRunningProcesses_v3(gpu)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        drawing = []
    for process in drawing:
        found[process.pid] = max(found.get(process.pid) or 0, process.usedGpuMemory or 0)
    known = sorted(((size, pid) for pid, size in found.items() if size), reverse=True)
    return {
        "all": len(found),
        "compute": len(compute),
        "bytes": {pid: size for size, pid in known[:MOST_PROCESSES]},
        "rest_bytes": sum(size for size, _ in known[MOST_PROCESSES:]),
    }


# Left out on purpose, because a GB10 tells a false number: memory utilisation and bus width (always 0), PCIe link.
OFTEN: dict[str, Callable[[Any], Any]] = {
    "temperature_celsius": lambda gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    "power_milliwatts": nvml.nvmlDeviceGetPowerUsage,
    "sm_clock_megahertz": lambda gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
    "utilization_percent": lambda gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
    "performance_state": nvml.nvmlDeviceGetPerformanceState,
    "memory_bytes": memory,
    "processes": processes,
}
SELDOM: dict[str, Callable[[Any], Any]] = {
    "name": nvml.nvmlDeviceGetName,
    "uuid": nvml.nvmlDeviceGetUUID,
    "application_clock_megahertz": lambda gpu: nvml.nvmlDeviceGetApplicationsClock(gpu, nvml.NVML_CLOCK_SM),
    "sm_clock_max_megahertz": lambda gpu: nvml.nvmlDeviceGetMaxClockInfo(gpu, nvml.NVML_CLOCK_SM),
    "margin_celsius": nvml.nvmlDeviceGetMarginTemperature,
    "energy_millijoules": nvml.nvmlDeviceGetTotalEnergyConsumption,
    "event_counters": event_counters,
}


def read(gpu: Any, readings: dict[str, Callable[[Any], Any]]) -> Json:
    """These readings of one GPU: the value of each, or the code with which NVML refused it."""
    values: Json = {}
    errors: dict[str, int] = {}
    for name, call in readings.items():
        try:
            values[name] = call(gpu)
        except nvml.NVMLError as error:
            errors[name] = error.value
    return {"values": values, "errors": errors}


class Gpus:
    """The GPUs from sample to sample: remembers what is read seldom, and how many GPUs there were."""

    def __init__(self, seldom_every_s: float) -> None:
        self._every_s = seldom_every_s
        self._most = 0
        self._seldom: dict[int, tuple[float, Json]] = {}  # index → when it was read, and what

    def sample(self) -> list[Json]:
        """Every GPU now. One that has vanished from the driver's count comes without values: lost, not forgotten."""
        self._most = max(self._most, nvml.nvmlDeviceGetCount())
        return [self._gpu(index) for index in range(self._most)]

    def _gpu(self, index: int) -> Json:
        try:
            gpu = nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError as error:
            self._seldom.pop(index, None)
            return {"index": index, "values": {}, "errors": {"handle": error.value}}
        now = time.monotonic()
        if index not in self._seldom or now >= self._seldom[index][0] + self._every_s:
            self._seldom[index] = (now, read(gpu, SELDOM))
        at, seldom = self._seldom[index]
        return {"index": index} | read(gpu, OFTEN) | {"seldom": {"age_s": round(now - at, 3)} | seldom}


def run(interval_s: float) -> int:
    """Write samples until the reader goes away (0) or NVML as a whole stops answering (1: start a new process)."""
    end_with_parent()
    parent = os.getppid()
    try:
        nvml.nvmlInit()
        gpus = Gpus(min(SELDOM_EVERY_S, SELDOM_EVERY_SAMPLES * interval_s))
        answered = time.monotonic()
        while os.getppid() == parent:
            started = time.monotonic()
            found = gpus.sample()
            if not found:
                write({"failure": "there is no GPU"})  # the reader asks again, less often than each interval
                return 1
            write({"driver": nvml.nvmlSystemGetDriverVersion(), "gpus": found})
            if all(gpu["values"] for gpu in found):
                answered = started
            elif started >= answered + RESTART_EVERY_S:
                answered = started
                nvml.nvmlShutdown()
                nvml.nvmlInit()
            time.sleep(max(0.0, started + interval_s - time.monotonic()))
    except nvml.NVMLError as error:
        write({"failure": str(error)})
        return 1
    except (BrokenPipeError, KeyboardInterrupt):
        pass
    return 0


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent is gone: blocked in the driver it could not see that itself."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)


def write(line: Json) -> None:
    """One line, at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
