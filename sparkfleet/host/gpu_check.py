"""nvidia-smi and /proc → one line about the GPU and its memory, said before a kernel's first cell.

Runs IN people's notebooks, on whatever Python they have; standard library. It asks a short child: the CUDA context that
torch.cuda makes in each kernel keeps a GB10 in P0 for as long as the kernel lives.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY = ("nvidia-smi", "--query-gpu=name,driver_version,utilization.gpu", "--format=csv,noheader,nounits")
WITHIN_S = 3.0  # NVML can block for minutes on a machine that is out of memory
EVERY_S = 0.02


def gpu_check() -> str:
    """One line: which GPU, which driver, how busy, how much memory can still be had; or what is wrong."""
    rows = (line.partition(":") for line in Path("/proc/meminfo").read_text().splitlines())
    kib = {name: int(value.split()[0]) for name, _, value in rows if value.split()}
    free, total = kib["MemAvailable"] / 2**20, kib["MemTotal"] / 2**20
    return f"{gpu()}; {free:.0f} of {total:.0f} GiB of memory available, shared by CPU and GPU"


def gpu(query: tuple[str, ...] = QUERY, within_s: float = WITHIN_S) -> str:
    """What nvidia-smi says. A child that the driver holds is left behind: to wait for it would hang the notebook."""
    try:
        child = subprocess.Popen(query, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError:
        return "no GPU: nvidia-smi is not there"
    until = time.monotonic() + within_s
    while child.poll() is None:
        if time.monotonic() > until:
            child.kill()
            return f"no GPU: nvidia-smi did not answer within {within_s:.0f} s"
        time.sleep(EVERY_S)
    said = child.stdout.read().decode(errors="replace").strip() if child.stdout else ""
    fields = [field.strip() for field in said.partition("\n")[0].split(",")]
    if child.returncode or len(fields) != len(("name", "driver", "busy")):
        return f"no GPU: {said.partition(chr(10))[0] or 'nvidia-smi failed'}"
    return "{}, driver {}, {} % busy".format(*fields)


def register(shell: Any) -> Callable[[], str]:
    """Have it said once, before the first cell: what a kernel prints while it starts, JupyterLab shows nowhere."""

    def first(*_: object) -> None:
        shell.events.unregister("pre_run_cell", first)
        print(gpu_check())

    shell.events.register("pre_run_cell", first)
    return gpu_check
