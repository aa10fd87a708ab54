"""libnvidia-ml.so.1, through ctypes alone → every call that the exporter makes, with its answer or its return code.

Shapes and version words are those of NVIDIA's nvml.h, branch 580. A symbol that the library lacks is code 13.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Union

from exporters.gb10.capture.kept import call_line

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = "libnvidia-ml.so.1"
FUNCTION_NOT_FOUND, DRIVER_NOT_LOADED, INSUFFICIENT_SIZE = 13, 9, 7
MOST_PROCESSES = 256
Answer = Union[int, str]  # noqa: UP007  an NVML return code, or the answer as written; Python 3.10 evaluates this

SYSTEM_TEXTS = ("nvmlSystemGetDriverVersion", "nvmlSystemGetNVMLVersion")
TEXTS = ("nvmlDeviceGetName", "nvmlDeviceGetUUID")
NUMBERS = {
    **dict.fromkeys(
        (
            "nvmlDeviceGetMinorNumber", "nvmlDeviceGetBrand", "nvmlDeviceGetPowerUsage",
            "nvmlDeviceGetPerformanceState", "nvmlDeviceGetMemoryBusWidth", "nvmlDeviceGetComputeMode",
            "nvmlDeviceGetPersistenceMode", "nvmlDeviceGetDisplayActive", "nvmlDeviceGetCurrPcieLinkGeneration",
            "nvmlDeviceGetMaxPcieLinkGeneration", "nvmlDeviceGetCurrPcieLinkWidth", "nvmlDeviceGetMaxPcieLinkWidth",
        ),
        ctypes.c_uint,
    ),
    **dict.fromkeys(
        (
            "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetCurrentClocksEventReasons",
            "nvmlDeviceGetSupportedClocksEventReasons",
        ),
        ctypes.c_uint64,
    ),
}  # fmt: skip
BY_KIND = {  # name → the arguments that it is asked with
    "nvmlDeviceGetTemperature": (0,),
    "nvmlDeviceGetClockInfo": (0, 1, 2),
    "nvmlDeviceGetMaxClockInfo": (0, 1, 2),
    "nvmlDeviceGetApplicationsClock": (0, 1),
}
# Event counters 74-76 and 269-271, energy 83, average and instant power 185 and 186, the T.Limit family 193-196.
FIELDS = (74, 75, 76, 83, 185, 186, 193, 194, 195, 196, 269, 270, 271)
ENERGY = 83
PROCESSES = {
    "compute": "nvmlDeviceGetComputeRunningProcesses_v3",
    "graphics": "nvmlDeviceGetGraphicsRunningProcesses_v3",
}


class Memory(ctypes.Structure):
    """nvmlMemory_v2_t."""

    _fields_ = [
        ("version", ctypes.c_uint),
        *((name, ctypes.c_uint64) for name in ("total", "reserved", "free", "used")),
    ]


class Field(ctypes.Structure):
    """nvmlFieldValue_t."""

    _fields_ = [
        ("id", ctypes.c_uint), ("scope", ctypes.c_uint), ("timestamp", ctypes.c_int64), ("latency", ctypes.c_int64),
        ("type", ctypes.c_uint), ("code", ctypes.c_uint), ("value", ctypes.c_uint64),
    ]  # fmt: skip

    def number(self) -> int | float:
        """The value by its type (nvmlValueType_t): double, unsigned, long, long long, signed long long, int."""
        types: dict[int, Any] = {0: ctypes.c_double, 1: ctypes.c_uint, 4: ctypes.c_int64, 5: ctypes.c_int}
        kind = types.get(self.type, ctypes.c_uint64)
        found: int | float = kind.from_buffer_copy(ctypes.c_uint64(self.value)).value
        return found


class Process(ctypes.Structure):
    """nvmlProcessInfo_v2_t."""

    _fields_ = [("pid", ctypes.c_uint), ("bytes", ctypes.c_uint64), ("instances", ctypes.c_uint * 2)]


class Pci(ctypes.Structure):
    """nvmlPciInfo_t, version 3."""

    _fields_ = [
        ("legacy", ctypes.c_char * 16), ("domain", ctypes.c_uint), ("bus", ctypes.c_uint), ("device", ctypes.c_uint),
        ("id", ctypes.c_uint), ("subsystem", ctypes.c_uint),
        ("bus_id", ctypes.c_char * 32),
    ]  # fmt: skip


class Driver:
    """The library: started by `lines`, and asked call by call."""

    def __init__(self, library: Any) -> None:
        self._library = library
        self.pids: set[int] = set()

    def code(self, name: str, *arguments: object) -> int:
        """NVML's return code."""
        function = getattr(self._library, name, None)
        return int(function(*arguments)) if function else FUNCTION_NOT_FOUND

    def lines(self) -> Iterator[str]:
        """Everything, as lines of a scenario."""
        if code := self.code("nvmlInit_v2"):
            yield call_line("nvmlInit", code)
            return
        for name in SYSTEM_TEXTS:
            yield call_line(name, self.text(name))
        for name in ("nvmlSystemGetCudaDriverVersion", "nvmlSystemGetCudaDriverVersion_v2"):
            yield call_line(name, self.number(name, ctypes.c_int()))
        count = ctypes.c_uint()
        code = self.code("nvmlDeviceGetCount_v2", ctypes.byref(count))
        yield call_line("nvmlDeviceGetCount_v2", code or str(count.value))
        for index in range(count.value):
            yield f"[gpu {index}]"
            handle = ctypes.c_void_p()
            if code := self.code("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle)):
                yield call_line("nvmlDeviceGetHandleByIndex_v2", code)
            else:
                yield from self.gpu(handle)
        self.code("nvmlShutdown")

    def text(self, name: str, *arguments: object) -> Answer:
        """A call that fills a text."""
        room = ctypes.create_string_buffer(96)
        code = self.code(name, *arguments, room, ctypes.c_uint(len(room)))
        return code or room.value.decode(errors="replace")

    def number(self, name: str, out: Any, *arguments: object) -> Answer:
        """A call that fills one number."""
        code = self.code(name, *arguments, ctypes.byref(out))
        return code or str(out.value)

    def gpu(self, gpu: ctypes.c_void_p) -> Iterator[str]:
        """Every call about one GPU."""
        for name in TEXTS:
            yield call_line(name, self.text(name, gpu))
        for name, kind in NUMBERS.items():
            yield call_line(name, self.number(name, kind(), gpu))
        for name, arguments in BY_KIND.items():
            for argument in arguments:
                answer = self.number(name, ctypes.c_uint(), gpu, ctypes.c_int(argument))
                yield call_line(f"{name}.{argument}", answer)
        yield from self.structures(gpu)
        yield from self.fields(gpu)
        yield from self.processes(gpu)

    def structures(self, gpu: ctypes.c_void_p) -> Iterator[str]:
        """The calls that fill more than one number."""
        major, minor = ctypes.c_int(), ctypes.c_int()
        code = self.code("nvmlDeviceGetCudaComputeCapability", gpu, ctypes.byref(major), ctypes.byref(minor))
        yield call_line("nvmlDeviceGetCudaComputeCapability", code or f"{major.value} {minor.value}")
        pci = Pci()
        code = self.code("nvmlDeviceGetPciInfo_v3", gpu, ctypes.byref(pci))
        place = pci.bus_id.decode(errors="replace")
        yield call_line("nvmlDeviceGetPciInfo_v3", code or f"{place} 0x{pci.id:08X} 0x{pci.subsystem:08X}")
        memory = Memory(version=2 << 24 | ctypes.sizeof(Memory))
        code = self.code("nvmlDeviceGetMemoryInfo_v2", gpu, ctypes.byref(memory))
        yield call_line("nvmlDeviceGetMemoryInfo", code or f"{memory.total} {memory.used}")
        rates = (ctypes.c_uint * 2)()
        code = self.code("nvmlDeviceGetUtilizationRates", gpu, rates)
        yield call_line("nvmlDeviceGetUtilizationRates", code or f"{rates[0]} {rates[1]}")
        for name in ("nvmlDeviceGetMarginTemperature", "nvmlDeviceGetAddressingMode"):
            pair = (ctypes.c_int * 2)(1 << 24 | 8)
            yield call_line(name, self.code(name, gpu, pair) or str(pair[1]))

    def fields(self, gpu: ctypes.c_void_p) -> Iterator[str]:
        """The field values, in one call."""
        fields = (Field * len(FIELDS))(*(Field(id=number) for number in FIELDS))
        if code := self.code("nvmlDeviceGetFieldValues", gpu, ctypes.c_int(len(FIELDS)), fields):
            yield call_line("nvmlDeviceGetFieldValues", code)
            return
        for field in fields:
            if field.id != ENERGY:  # the simulator answers it as the call of its own
                yield call_line(f"field.{field.id}", field.code or f"{field.number()}")

    def processes(self, gpu: ctypes.c_void_p) -> Iterator[str]:
        """Who uses the GPU; their ids are kept in `pids`."""
        for kind, name in PROCESSES.items():
            count, room = ctypes.c_uint(MOST_PROCESSES), (Process * MOST_PROCESSES)()
            if code := self.code(name, gpu, ctypes.byref(count), room):
                yield call_line(name.removesuffix("_v3"), code)
                continue
            for process in room[: count.value]:
                self.pids.add(process.pid)
                yield f"process = {kind} {process.pid} {process.bytes}"


def loaded() -> Driver | None:
    """The driver's library, or None where there is none."""
    try:
        return Driver(ctypes.CDLL(LIBRARY))
    except OSError:
        return None
