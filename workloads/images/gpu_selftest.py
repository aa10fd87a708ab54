"""A container → whether it really computes on the GPU: one JSON document on stdout, exit 0 or 1. Runs in the container.

    python3 /selftest.py              the driver alone: any image with Python
    python3 /selftest.py --torch      and PyTorch: a product of two matrices, compared with the CPU's

Standard library only, but for PyTorch itself. It asks for 16 MiB, and lets go of the GPU when it ends.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
from typing import Any

CC_MAJOR, CC_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
PATTERN, WORDS = 0x5EEDC0DE, 4 << 20
SIZE, TOLERANCE = 512, 1e-3  # of the matrices; relative, float32
# Why a container has no GPU, by what cuInit says (cuda.h).
USUALLY = {
    100: "the engine gave the container no device: CDI or the runtime nvidia is not set up",
    803: "the image's compatibility libraries are older than the driver",
    804: "forward compatibility is not for this GPU, or NVIDIA's entrypoint did not run",
    999: "device nodes are missing, or the driver was changed and the host not restarted",
}


class NoGpuError(Exception):
    """What was asked of the GPU, and what came back."""


def main() -> int:
    """Try, tell."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--torch", action="store_true", help="PyTorch must be there and compute, too")
    flags.add_argument("--library", default="libcuda.so.1", help="the driver's library")
    given = flags.parse_args()
    found: dict[str, Any] = {"ok": False}
    try:
        found |= driver(ctypes.CDLL(given.library))
        if given.torch:
            found["torch"] = pytorch()
        found["ok"] = True
    except (NoGpuError, OSError) as error:
        found["error"] = str(error)
    print(json.dumps(found))
    return 0 if found["ok"] else 1


def driver(cuda: Any) -> dict[str, Any]:
    """What the driver tells, after a pattern was written to the GPU's memory and read back; raises NoGpuError."""

    def call(name: str, *arguments: Any) -> None:
        if code := getattr(cuda, name)(*arguments):
            usually = f". This usually means: {USUALLY[code]}" if code in USUALLY else ""
            raise NoGpuError(f"{name} gave {code}{usually}")

    number, device = ctypes.c_int(), ctypes.c_int()
    call("cuInit", 0)
    call("cuDriverGetVersion", ctypes.byref(number))
    version = f"{number.value // 1000}.{number.value % 1000 // 10}"
    call("cuDeviceGetCount", ctypes.byref(number))
    if not number.value:
        raise NoGpuError("the driver knows no device")
    count = number.value
    call("cuDeviceGet", ctypes.byref(device), 0)
    name = ctypes.create_string_buffer(100)
    call("cuDeviceGetName", name, 100, device)
    capability = []
    for attribute in (CC_MAJOR, CC_MINOR):
        call("cuDeviceGetAttribute", ctypes.byref(number), attribute, device)
        capability.append(number.value)
    context, place = ctypes.c_void_p(), ctypes.c_uint64()
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    try:
        call("cuCtxSetCurrent", context)
        call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(WORDS * 4))
        call("cuMemsetD32_v2", place, ctypes.c_uint(PATTERN), ctypes.c_size_t(WORDS))
        back = (ctypes.c_uint32 * WORDS)()
        call("cuMemcpyDtoH_v2", back, place, ctypes.c_size_t(WORDS * 4))
        call("cuMemFree_v2", place)
    finally:
        call("cuDevicePrimaryCtxRelease_v2", device)
    if any(word != PATTERN for word in back[:: WORDS // 1024]):
        raise NoGpuError("what was written to its memory did not come back")
    return {
        "devices": count,
        "name": name.value.decode(errors="replace"),
        "compute_capability": f"{capability[0]}.{capability[1]}",
        "cuda_driver": version,
    }


def pytorch() -> dict[str, Any]:
    """PyTorch's version and how far its product is from the CPU's; raises NoGpuError."""
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise NoGpuError(f"PyTorch is not in this image: {error}") from None
    if not torch.cuda.is_available():
        raise NoGpuError("PyTorch sees no GPU although the driver does: it was built without CUDA, or for another")
    torch.manual_seed(0)
    one, other = torch.rand(SIZE, SIZE), torch.rand(SIZE, SIZE)
    exact = one @ other
    try:
        off = float(((one.cuda() @ other.cuda()).cpu() - exact).abs().max() / exact.abs().max())
    except RuntimeError as error:  # no kernel image for this GPU, as a rule
        raise NoGpuError(f"PyTorch cannot compute on it: {str(error).splitlines()[0]}") from None
    if off > TOLERANCE:
        raise NoGpuError(f"its product of two matrices is {off:.1e} off the CPU's")
    return {"version": torch.__version__, "cuda": torch.version.cuda, "off_by": off}


if __name__ == "__main__":
    sys.exit(main())
