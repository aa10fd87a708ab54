"""The GPU self-test against a driver's library that stands in for NVIDIA's (simulated)."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from typing import Any

import pytest

from workloads.images import gpu_selftest


class Driver:
    """The calls of libcuda that the test makes. Simulated."""

    def __init__(self, *, broken: str = "", code: int = 999, devices: int = 1, memory: int | None = None) -> None:
        self.broken, self.code, self.devices, self.memory = broken, code, devices, memory
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        """Any call: noted, refused when it is the broken one, else answered."""

        def call(*arguments: Any) -> int:
            self.calls.append(name)
            if name == self.broken:
                return self.code
            self.answer(name, arguments)
            return 0

        return call

    def answer(self, name: str, arguments: tuple[Any, ...]) -> None:
        """As a GB10 with driver 580 would."""
        if name == "cuDriverGetVersion":
            arguments[0]._obj.value = 13000
        elif name == "cuDeviceGetCount":
            arguments[0]._obj.value = self.devices
        elif name == "cuDeviceGetName":
            arguments[0].value = b"NVIDIA GB10"
        elif name == "cuDeviceGetAttribute":
            arguments[0]._obj.value = {gpu_selftest.CC_MAJOR: 12, gpu_selftest.CC_MINOR: 1}[arguments[1]]
        elif name == "cuMemsetD32_v2" and self.memory is None:
            self.memory = arguments[1].value
        elif name == "cuMemcpyDtoH_v2":
            whole = bytes(ctypes.c_uint32(self.memory or 0)) * gpu_selftest.WORDS
            ctypes.memmove(arguments[0], whole, len(whole))


def test_a_sound_driver_is_told_with_what_it_is() -> None:
    """Name, compute capability and CUDA as the driver has them; the GPU is let go of."""
    driver = Driver()

    assert gpu_selftest.driver(driver) == {
        "devices": 1,
        "name": "NVIDIA GB10",
        "compute_capability": "12.1",
        "cuda_driver": "13.0",
    }
    assert driver.calls[-1] == "cuDevicePrimaryCtxRelease_v2"


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (Driver(broken="cuInit", code=100), "cuInit gave 100. This usually means: the engine gave the container no"),
        (Driver(broken="cuInit", code=803), "compatibility libraries are older than the driver"),
        (Driver(broken="cuMemAlloc_v2", code=2), "cuMemAlloc_v2 gave 2"),
        (Driver(devices=0), "the driver knows no device"),
        (Driver(memory=0), "what was written to its memory did not come back"),
    ],
)
def test_a_gpu_that_does_not_compute_is_told_by_what_it_refused(driver: Driver, words: str) -> None:
    """With the usual reason where there is one; a context that was made is given back."""
    with pytest.raises(gpu_selftest.NoGpuError, match=words):
        gpu_selftest.driver(driver)

    assert ("cuDevicePrimaryCtxRetain" in driver.calls) == ("cuDevicePrimaryCtxRelease_v2" in driver.calls)


def test_without_a_driver_it_ends_with_one_document() -> None:
    """As in a container that got no GPU: exit 1 and the reason, as JSON."""
    words = [sys.executable, "-I", gpu_selftest.__file__, "--library", "libno-such-driver.so"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    told = json.loads(done.stdout)
    assert (done.returncode, told["ok"]) == (1, False)
    assert "libno-such-driver.so" in told["error"]
