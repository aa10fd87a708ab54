"""NVML → one line of JSON a sample on standard output, every INTERVAL seconds, until nobody reads it.

A program of its own, because a call to NVML can block for many minutes (491-737 s were seen on machines out of memory)
and a thread that blocks in the driver cannot be given up, while a process can be killed and replaced.

A line is {"driver": TEXT, "gpus": [{"index": N, "values": {READING: NUMBER or TEXT or OBJECT}, "errors": {READING:
NVML return code}}]}, numbers in NVML's own units; or, when NVML does not even start, {"failure": TEXT}.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import pynvml as nvml

if TYPE_CHECKING:
    from collections.abc import Callable

Json: TypeAlias = dict[str, Any]

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


# Left out on purpose, because a GB10 tells a false number: memory utilisation and bus width (always 0), PCIe link.
READINGS: dict[str, Callable[[Any], Any]] = {
    "name": nvml.nvmlDeviceGetName,
    "uuid": nvml.nvmlDeviceGetUUID,
    "temperature_celsius": lambda gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    "margin_celsius": nvml.nvmlDeviceGetMarginTemperature,
    "power_milliwatts": nvml.nvmlDeviceGetPowerUsage,
    "energy_millijoules": nvml.nvmlDeviceGetTotalEnergyConsumption,
    "sm_clock_megahertz": lambda gpu: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
    "utilization_percent": lambda gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
    "performance_state": nvml.nvmlDeviceGetPerformanceState,
    "event_counters": event_counters,
    "memory_bytes": memory,
}


def read_gpu(index: int) -> Json:
    """Every reading of one GPU: a value, or the code with which NVML refused it."""
    values: Json = {}
    errors: dict[str, int] = {}
    try:
        gpu = nvml.nvmlDeviceGetHandleByIndex(index)
    except nvml.NVMLError as error:
        return {"index": index, "values": values, "errors": {"handle": error.value}}
    for name, read in READINGS.items():
        try:
            values[name] = read(gpu)
        except nvml.NVMLError as error:
            errors[name] = error.value
    return {"index": index, "values": values, "errors": errors}


def run(interval_s: float) -> int:
    """Write samples until the reader goes away (0) or NVML as a whole stops answering (1: start a new process)."""
    try:
        nvml.nvmlInit()
        while True:
            started = time.monotonic()
            gpus = [read_gpu(index) for index in range(nvml.nvmlDeviceGetCount())]
            write({"driver": nvml.nvmlSystemGetDriverVersion(), "gpus": gpus})
            time.sleep(max(0.0, started + interval_s - time.monotonic()))
    except nvml.NVMLError as error:
        write({"failure": str(error)})
        return 1
    except (BrokenPipeError, KeyboardInterrupt):
        return 0


def write(line: Json) -> None:
    """One line, at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
