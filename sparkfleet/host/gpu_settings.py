"""What is described of the GPU → persistence mode and clock cap, put back when the driver forgot. Runs ON the host.

As root, from a timer and by udev's word when a driver is loaded; standard library only, Python 3.10 or newer:

    /usr/bin/python3 -IS /usr/local/lib/sparkfleet/gpu-settings.py --cap-mhz 2200 \
        --state /run/sparkfleet-gpu/state.json --out /var/lib/sparkfleet/metrics/gpu_settings.prom

No driver tells which clocks are locked (NVML has no call for it), so the cap is set anew when it was not set since this
driver was loaded, when another one is described, and when a GPU runs above it. Without --cap-mhz a cap that was set
from here is taken away, once; one that somebody set by hand is left. Ends with 0, also without a loaded driver, and
with 1 when nvidia-smi refuses: the words are its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOWEST_MHZ = 208  # of a GB10; others take the nearest that they have
TOLERANCE = 1.02  # as the alert Gb10ClockCapLost has it
NVIDIA_SMI_S = 20  # a GB10 that is wedged lets it hang for minutes
QUERY = ["--query-gpu=index,clocks.sm,persistence_mode", "--format=csv,noheader,nounits"]


class RefusedError(Exception):
    """What nvidia-smi said when it did not do what was asked."""


@dataclass(frozen=True)
class Gpu:
    """One GPU as nvidia-smi tells it; None: it does not."""

    index: str
    clock_mhz: float | None
    persistent: bool | None


def main() -> int:
    """Look, set what is not as described, note it, tell."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--cap-mhz", type=int)
    flags.add_argument("--sysfs", type=Path, default=Path("/sys"))
    flags.add_argument("--state", type=Path, default=Path("/run/sparkfleet-gpu/state.json"))
    flags.add_argument("--out", type=Path, default=Path("/var/lib/sparkfleet/metrics/gpu_settings.prom"))
    given = flags.parse_args()
    driver = loaded(given.sysfs)
    if driver is None:
        print("no NVIDIA driver is loaded: nothing to set")
        return 0
    before = remembered(given.state)
    try:
        gpus = read(nvidia_smi(*QUERY))
        for words, why in wanted(given.cap_mhz, driver, before, gpus):
            nvidia_smi(*words)
            print(f"nvidia-smi {' '.join(words)}: {why}")
    except RefusedError as refused:
        print(refused, file=sys.stderr)
        return 1
    lost = put_back(given.cap_mhz, driver, before, gpus)
    state = {"driver": driver, "cap_mhz": given.cap_mhz, "put_back": before.get("put_back", 0) + lost}
    write(given.state, json.dumps(state) + "\n")
    write(given.out, metrics(state))
    return 0


def wanted(cap: int | None, driver: str, before: dict[str, Any], gpus: list[Gpu]) -> list[tuple[list[str], str]]:
    """nvidia-smi's words for what is not as described, and why; none when it is. Pure."""
    found = []
    if any(gpu.persistent is False for gpu in gpus):
        found.append((["-pm", "1"], "persistence mode was off"))
    why = reason(cap, driver, before, gpus)
    if cap is not None and why:
        found.append(([f"--lock-gpu-clocks={LOWEST_MHZ},{cap}"], why))
    elif why:
        found.append((["--reset-gpu-clocks"], why))
    return found


def reason(cap: int | None, driver: str, before: dict[str, Any], gpus: list[Gpu]) -> str:
    """Why the cap has to be set, or taken away; empty when it is as described. Pure."""
    had = before.get("cap_mhz")
    if cap is None:
        return f"the cap of {had} MHz is no longer described" if had else ""
    if before.get("driver") != driver:
        return "this driver was just loaded"
    if had != cap:
        return f"described is another cap than {had} MHz" if had else "a cap is described"
    above = [gpu for gpu in gpus if (gpu.clock_mhz or 0) > cap * TOLERANCE]
    return ", ".join(f"GPU {gpu.index} runs at {gpu.clock_mhz:.0f} MHz" for gpu in above)


def put_back(cap: int | None, driver: str, before: dict[str, Any], gpus: list[Gpu]) -> int:
    """1 when a cap that had been set from here was found gone. Pure."""
    return int(cap is not None and before.get("cap_mhz") == cap and bool(reason(cap, driver, before, gpus)))


def metrics(state: dict[str, Any]) -> str:
    """Prometheus' text format."""
    cap, again = "sparkfleet_gpu_clock_cap_set_hertz", "sparkfleet_gpu_clock_cap_put_back_total"
    lines = [
        f"# HELP {again} How often the clock cap was found lost since the boot, and set again.",
        f"# TYPE {again} counter",
        f"{again} {state['put_back']}",
    ]
    if state["cap_mhz"] is not None:
        lines += [
            f"# HELP {cap} The clock cap that was set last.",
            f"# TYPE {cap} gauge",
            f"{cap} {state['cap_mhz'] * 1_000_000}",
        ]
    return "\n".join(lines) + "\n"


def loaded(sysfs: Path) -> str | None:
    """The driver's version and which load of it this is; None when there is none.

    A module that is loaded again is a new folder of sysfs, with an inode number of its own.
    """
    module = sysfs / "module" / "nvidia"
    try:
        return f"{(module / 'version').read_text().strip()} {module.stat().st_ino}"
    except OSError:
        return None


def read(text: str) -> list[Gpu]:
    """What nvidia-smi answers to QUERY. Raises RefusedError when that is no table of GPUs."""
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if line.strip()]
    if not rows or any(len(row) != 3 for row in rows):
        raise RefusedError(f"nvidia-smi names no GPU: {text.strip()[:200]}")
    return [Gpu(index, number(clock), {"Enabled": True, "Disabled": False}.get(mode)) for index, clock, mode in rows]


def number(text: str) -> float | None:
    """A number; None for "[N/A]"."""
    try:
        return float(text)
    except ValueError:
        return None


def nvidia_smi(*words: str) -> str:
    """What nvidia-smi prints; raises RefusedError when it fails, hangs or is not there."""
    try:
        done = subprocess.run(
            ["nvidia-smi", *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=NVIDIA_SMI_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RefusedError(f"nvidia-smi {' '.join(words)}: {type(error).__name__}") from None
    said = done.stdout.decode(errors="replace")
    if done.returncode:
        raise RefusedError(f"nvidia-smi {' '.join(words)} ended with {done.returncode}: {said.strip()[:200]}")
    return said


def remembered(file: Path) -> dict[str, Any]:
    """What was noted since the boot; nothing where that cannot be read, because then all is set anew."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
        return {"driver": str(state["driver"]), "cap_mhz": state["cap_mhz"], "put_back": int(state["put_back"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write(file: Path, text: str) -> None:
    """Replace a file whole."""
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")  # hidden: no collector of *.prom reads it
    unfinished.write_text(text, encoding="utf-8")
    unfinished.chmod(0o644)  # whatever the umask is
    unfinished.replace(file)


if __name__ == "__main__":
    sys.exit(main())
