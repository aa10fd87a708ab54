#!/usr/bin/env python3
"""What the (simulated) libnvidia-ml.so.1 answers → the usual output forms of nvidia-smi. Simulated.

    nvidia-smi                                              the table
    nvidia-smi -L | -q                                      the list of GPUs; the long form, shortened
    nvidia-smi --query-gpu=name,temperature.gpu --format=csv[,noheader][,nounits]
    nvidia-smi --query-compute-apps=pid,process_name --format=csv,noheader     these two fields, in this form
    nvidia-smi -pm 1                                        and what else sets something: nvidia_smi_set.py

Installed in a stand-in as /usr/bin/nvidia-smi: one file, standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_AVAILABLE = "[N/A]"
EXIT_BAD_FIELD, EXIT_NO_DRIVER = 2, 9  # as nvidia-smi's
GRAPHICS, SM, MEMORY = 0, 1, 2  # nvmlClockType_t
MARGIN_VERSION = 0x1000008
FUNCTION_NOT_FOUND = 13


Reader: TypeAlias = "Callable[[Gpu], str | None]"


class Field(ctypes.Structure):
    """nvmlFieldValue_t."""

    _fields_ = [
        ("id", ctypes.c_uint), ("scope", ctypes.c_uint), ("timestamp", ctypes.c_int64), ("latency", ctypes.c_int64),
        ("type", ctypes.c_uint), ("code", ctypes.c_uint), ("value", ctypes.c_uint64),
    ]  # fmt: skip


class Process(ctypes.Structure):
    """nvmlProcessInfo_v2_t."""

    _fields_ = [("pid", ctypes.c_uint), ("bytes", ctypes.c_uint64), ("instances", ctypes.c_uint * 2)]


class Driver:
    """The library: `system` and `Gpu` readings as Python values, None where the call gives no value."""

    def __init__(self) -> None:
        """Raises OSError without a library or a driver."""
        self.library = ctypes.CDLL("libnvidia-ml.so.1")
        if code := self.library.nvmlInit_v2():
            raise OSError(f"nvmlInit gave {code}")

    def call(self, name: str, *arguments: object) -> int:
        """The NVML return code; a symbol that the library lacks gives NVML's own code for that."""
        function = getattr(self.library, name, None)
        return int(function(*arguments)) if function else FUNCTION_NOT_FOUND

    def read(self, name: str, out: Any, *arguments: object) -> Any | None:
        """`out` filled by the call, or None."""
        return None if self.call(name, *arguments, ctypes.byref(out)) else out

    def text(self, name: str, *arguments: object) -> str | None:
        """A call that fills a text buffer."""
        buffer = ctypes.create_string_buffer(96)
        failed = self.call(name, *arguments, buffer, ctypes.c_uint(len(buffer)))
        return None if failed else buffer.value.decode()

    def gpus(self) -> list[Gpu]:
        """Every GPU that gives a handle."""
        count, handles = ctypes.c_uint(), []
        self.read("nvmlDeviceGetCount_v2", count)
        for index in range(count.value):
            handle = self.read("nvmlDeviceGetHandleByIndex_v2", ctypes.c_void_p(), ctypes.c_uint(index))
            if handle:
                handles.append(Gpu(self, index, handle))
        return handles


class Gpu:
    """The readings of one GPU, each as nvidia-smi prints it, or None."""

    def __init__(self, driver: Driver, index: int, handle: ctypes.c_void_p) -> None:
        """`handle` is the library's own."""
        self.driver, self.index, self.handle = driver, index, handle

    def number(self, name: str, *arguments: int, scale: float = 1.0, form: str = "{:.0f}") -> str | None:
        """A call that fills one unsigned number."""
        out = self.driver.read(f"nvmlDeviceGet{name}", ctypes.c_uint(), self.handle, *map(ctypes.c_int, arguments))
        return None if out is None else form.format(out.value * scale)

    def text(self, name: str) -> str | None:
        """A call that fills a text."""
        return self.driver.text(f"nvmlDeviceGet{name}", self.handle)

    def compute_capability(self) -> str | None:
        """For instance 12.1."""
        major, minor = ctypes.c_int(), ctypes.c_int()
        name = "nvmlDeviceGetCudaComputeCapability"
        failed = self.driver.call(name, self.handle, ctypes.byref(major), ctypes.byref(minor))
        return None if failed else f"{major.value}.{minor.value}"

    def margin(self) -> str | None:
        """Degrees left to the throttling limit."""
        out = self.driver.read("nvmlDeviceGetMarginTemperature", (ctypes.c_int * 2)(MARGIN_VERSION), self.handle)
        return None if out is None else str(out[1])

    def bus_id(self) -> str | None:
        """For instance 0000000F:01:00.0."""
        buffer = self.driver.read("nvmlDeviceGetPciInfo_v3", ctypes.create_string_buffer(68), self.handle)
        return None if buffer is None else buffer.raw[36:].split(b"\0")[0].decode()

    def counter(self, field: int) -> str | None:
        """A cumulative event-reason counter in microseconds; the library's own unit is ns, as nvml.h says."""
        fields = (Field * 1)(Field(id=field))
        failed = self.driver.call("nvmlDeviceGetFieldValues", self.handle, ctypes.c_int(1), fields)
        return None if failed or fields[0].code else str(fields[0].value // 1000)

    def event_reasons(self) -> str | None:
        """The bit mask of this moment."""
        name = "nvmlDeviceGetCurrentClocksEventReasons"
        out = self.driver.read(name, ctypes.c_uint64(), self.handle)
        return None if out is None else f"0x{out.value:016x}"

    def memory(self, word: int) -> str | None:
        """Total, free or used (word 0, 1, 2) in MiB; a GB10 has none of them."""
        out = self.driver.read("nvmlDeviceGetMemoryInfo", (ctypes.c_uint64 * 3)(), self.handle)
        return None if out is None else str(out[word] >> 20)

    def utilization(self, word: int) -> str | None:
        """Of the GPU or its memory (word 0, 1) in percent."""
        both = self.driver.read("nvmlDeviceGetUtilizationRates", (ctypes.c_uint * 2)(), self.handle)
        return None if both is None else str(both[word])

    def processes(self) -> list[tuple[int, str, int]]:
        """(pid, C or G, MiB) of every process."""
        found = []
        for kind, name in (("C", "Compute"), ("G", "Graphics")):
            count, room = ctypes.c_uint(32), (Process * 32)()
            if not self.driver.call(f"nvmlDeviceGet{name}RunningProcesses_v3", self.handle, ctypes.byref(count), room):
                found += [(process.pid, kind, process.bytes >> 20) for process in room[: count.value]]
        return found


def nothing(_gpu: Gpu) -> str | None:
    """What neither a GB10 nor this library has."""
    return None


def power(gpu: Gpu) -> str | None:
    """Watts with two decimals."""
    return gpu.number("PowerUsage", scale=1e-3, form="{:.2f}")


def clock(kind: int, call: str = "ClockInfo") -> Reader:
    """A reader of one clock in MHz."""
    return lambda gpu: gpu.number(call, kind)


# What --query-gpu knows: name → (unit printed after it, reader).
FIELDS: dict[str, tuple[str, Reader]] = {
    "index": ("", lambda gpu: str(gpu.index)),
    "count": ("", lambda gpu: str(len(gpu.driver.gpus()))),
    "name": ("", lambda gpu: gpu.text("Name")),
    "gpu_name": ("", lambda gpu: gpu.text("Name")),
    "uuid": ("", lambda gpu: gpu.text("UUID")),
    "gpu_uuid": ("", lambda gpu: gpu.text("UUID")),
    "driver_version": ("", lambda gpu: gpu.driver.text("nvmlSystemGetDriverVersion")),
    "pci.bus_id": ("", Gpu.bus_id),
    "compute_cap": ("", Gpu.compute_capability),
    "pstate": ("", lambda gpu: gpu.number("PerformanceState", form="P{:.0f}")),
    "persistence_mode": ("", lambda gpu: {"1": "Enabled", "0": "Disabled"}.get(gpu.number("PersistenceMode") or "")),
    "temperature.gpu": ("", lambda gpu: gpu.number("Temperature", 0)),
    "temperature.gpu.tlimit": ("", Gpu.margin),
    "temperature.memory": ("", nothing),
    "power.draw": ("W", power),
    "power.draw.instant": ("W", power),
    "power.limit": ("W", nothing),
    "enforced.power.limit": ("W", nothing),
    "clocks.sm": ("MHz", clock(SM)),
    "clocks.current.sm": ("MHz", clock(SM)),
    "clocks.gr": ("MHz", clock(GRAPHICS)),
    "clocks.mem": ("MHz", clock(MEMORY)),
    "clocks.max.sm": ("MHz", clock(SM, "MaxClockInfo")),
    "clocks.max.mem": ("MHz", clock(MEMORY, "MaxClockInfo")),
    "clocks.applications.graphics": ("MHz", clock(GRAPHICS, "ApplicationsClock")),
    "utilization.gpu": ("%", lambda gpu: gpu.utilization(0)),
    "utilization.memory": ("%", lambda gpu: gpu.utilization(1)),
    "memory.total": ("MiB", lambda gpu: gpu.memory(0)),
    "memory.free": ("MiB", lambda gpu: gpu.memory(1)),
    "memory.used": ("MiB", lambda gpu: gpu.memory(2)),
    "fan.speed": ("%", nothing),
    "ecc.mode.current": ("", nothing),
    "mig.mode.current": ("", nothing),
    "clocks_event_reasons.active": ("", Gpu.event_reasons),
    "clocks_event_reasons_counters.sw_power_cap": ("us", lambda gpu: gpu.counter(74)),
    "clocks_event_reasons_counters.sync_boost": ("us", lambda gpu: gpu.counter(76)),
    "clocks_event_reasons_counters.sw_thermal_slowdown": ("us", lambda gpu: gpu.counter(269)),
    "clocks_event_reasons_counters.hw_thermal_slowdown": ("us", lambda gpu: gpu.counter(270)),
    "clocks_event_reasons_counters.hw_power_brake_slowdown": ("us", lambda gpu: gpu.counter(271)),
}


def csv(gpus: list[Gpu], names: list[str], options: set[str]) -> str:
    """The answer to --query-gpu; KeyError names a field that is not known."""
    lines = []
    if "noheader" not in options:
        lines.append(", ".join(f"{name} [{FIELDS[name][0]}]" if FIELDS[name][0] else name for name in names))
    for gpu in gpus:
        cells = []
        for name in names:
            unit, read = FIELDS[name]
            found = read(gpu)
            suffix = f" {unit}" if unit and "nounits" not in options else ""
            cells.append(NOT_AVAILABLE if found is None else found + suffix)
        lines.append(", ".join(cells))
    return "\n".join(lines)


def value(gpu: Gpu, name: str, missing: str = "N/A") -> str:
    """One field with its unit, for the forms that people read."""
    unit, read = FIELDS[name]
    found = read(gpu)
    return missing if found is None else f"{found} {unit}".strip()


def table(driver: Driver) -> str:
    """The plain table."""
    version = driver.text("nvmlSystemGetDriverVersion")
    row = "GPU {:>2}  {:<14} {:<17} {:>5} {:>5} {:>15}  {:<14} {:>5}".format
    lines = [row("", "Name", "Bus-Id", "Temp", "Perf", "Usage/Cap", "Memory", "Util")]
    for gpu in driver.gpus():
        watts, memory = f"{value(gpu, 'power.draw')} / N/A", value(gpu, "memory.used", "Not Supported")
        celsius, busy = f"{value(gpu, 'temperature.gpu')}C", value(gpu, "utilization.gpu")
        name, bus_id, state = value(gpu, "name"), value(gpu, "pci.bus_id"), value(gpu, "pstate")
        lines.append(row(gpu.index, name, bus_id, celsius, state, watts, memory, busy))
    processes = ["Processes:"]
    for gpu in driver.gpus():
        for pid, kind, mib in gpu.processes():
            processes.append(f"GPU {gpu.index:>2}  {pid:>7}  {kind}  {mib:>7} MiB")
    width = max(map(len, [*lines, *processes]))
    rule = f"+-{'-' * width}-+"
    heading = [
        f"NVIDIA-SMI {version}    Driver Version: {version}",
        "SIMULATED: no GPU here; the sparkfleet lab replays recorded values",
    ]
    boxed = ["\n".join(f"| {line:<{width}} |" for line in part) for part in (heading, lines, processes)]
    return f"\n{rule}\n".join(["", *boxed, ""]).strip()


def long_form(driver: Driver) -> str:
    """The `-q` form: one `name : value` a line, the names as --query-gpu has them."""
    gpus = driver.gpus()
    lines = ["==============NVSMI LOG (simulated)==============", f"Attached GPUs : {len(gpus)}"]
    for gpu in gpus:
        lines.append(f"GPU {value(gpu, 'pci.bus_id')}")
        lines += [f"    {name:<56}: {value(gpu, name)}" for name in FIELDS if name not in ("index", "count")]
    return "\n".join(lines)


def main() -> int:
    """Print what the flags ask for; exit codes as nvidia-smi's."""
    parser = argparse.ArgumentParser(prog="nvidia-smi", description="Simulated by the sparkfleet lab.")
    parser.add_argument("-L", "--list-gpus", action="store_true")
    parser.add_argument("-q", "--query", action="store_true")
    parser.add_argument("--query-gpu", metavar="FIELD,…")
    parser.add_argument("--query-compute-apps", choices=["pid,process_name"])
    parser.add_argument("--format", default="csv", metavar="csv[,noheader][,nounits]")
    options, others = parser.parse_known_args()
    if others:
        os.execv(f"{__file__}-set", [f"{__file__}-set", *sys.argv[1:]])  # noqa: S606
    try:
        driver = Driver()
    except OSError:
        print("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. (simulated)")
        return EXIT_NO_DRIVER
    if options.query_gpu:
        try:
            print(csv(driver.gpus(), options.query_gpu.replace(" ", "").split(","), set(options.format.split(","))))
        except KeyError as unknown:
            print(f"Field {unknown} is not a valid field to query.")
            return EXIT_BAD_FIELD
    elif options.query_compute_apps:  # the ids are made up: nobody runs under them
        jobs = [pid for gpu in driver.gpus() for pid, kind, _ in gpu.processes() if kind == "C"]
        sys.stdout.writelines(f"{pid}, [Not Found]\n" for pid in jobs)
    elif options.list_gpus:
        for gpu in driver.gpus():
            print(f"GPU {gpu.index}: {value(gpu, 'name')} (UUID: {value(gpu, 'uuid')})")
    else:
        print(long_form(driver) if options.query else table(driver))
    return 0


if __name__ == "__main__":
    sys.exit(main())
