#!/usr/bin/env python3
"""What nvidia-smi sets → calls of the (simulated) libnvidia-ml.so.1. Simulated.

    nvidia-smi -pm 1                persistence mode on or off
    nvidia-smi -lgc 208,2000        the range of the GPU's clocks
    nvidia-smi -rgc                 the whole range again

Installed in a stand-in beside nvidia-smi, which hands these flags over: one file, standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import sys

EXIT_NO_PERMISSION, EXIT_NO_DRIVER = 4, 9  # as nvidia-smi's
CALLS = {"pm": "SetPersistenceMode", "lgc": "SetGpuLockedClocks", "rgc": "ResetGpuLockedClocks"}


def numbers(text: str) -> list[int]:
    """`208,2000`."""
    return [int(number) for number in text.split(",")]


def main() -> int:
    """Set it on every GPU; exit codes as nvidia-smi's."""
    parser = argparse.ArgumentParser(prog="nvidia-smi", description="Simulated by the sparkfleet lab.")
    parser.add_argument("-pm", "--persistence-mode", dest="pm", type=numbers)
    parser.add_argument("-lgc", "--lock-gpu-clocks", dest="lgc", type=numbers)
    parser.add_argument("-rgc", "--reset-gpu-clocks", dest="rgc", action="store_const", const=[])
    given = parser.parse_args()
    library = ctypes.CDLL("libnvidia-ml.so.1")
    count, handle = ctypes.c_uint(), ctypes.c_void_p()
    if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        print("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. (simulated)")
        return EXIT_NO_DRIVER
    for name, call in CALLS.items():
        values = getattr(given, name)
        for index in range(count.value) if values is not None else ():
            library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle))
            if getattr(library, f"nvmlDevice{call}")(handle, *map(ctypes.c_uint, values)):
                print(f"{call}: GPU {index} refuses; are you root? (simulated)")
                return EXIT_NO_PERMISSION
            print(f"{call}: GPU {index} done. (simulated)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
