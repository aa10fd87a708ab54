"""Scenario files → a stand-in that behaves like a GB10: NVML library, nvidia-smi, files of /sys. Simulated.

    build(out)            out/libnvidia-ml.so.1 and out/nvidia-smi
    scenario("stress")    the text of a scenario: what all share, then its own lines
    install(root)         everything into a stand-in's root folder, scenario `idle` loaded
    load(root, "stress")  another scenario into a stand-in that may be running

What a scenario can say is written in scenario.h; the recorded values, each with its source, are in scenarios/.
Memory is not simulated: /proc/meminfo is the real one of the machine that runs the stand-in.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lab.gb10.tree import replace, write_tree

FOLDER = Path(__file__).resolve().parent
SCENARIOS = FOLDER / "scenarios"
BASE = "base"

# Where things lie within a stand-in.
LIBRARY_FOLDER = Path("usr/lib/sparkfleet-lab")
LIBRARY_PATH_FILE = Path("etc/ld.so.conf.d/sparkfleet-lab.conf")
NVIDIA_SMI = Path("usr/bin/nvidia-smi")
SCENARIO_FILE = Path("var/lib/gb10/scenario")
SYSFS_FOLDER = Path("var/lib/gb10/sys")


def names() -> list[str]:
    """The scenarios there are, sorted: idle, inference and so on."""
    return sorted(path.stem for path in SCENARIOS.glob("*.txt") if path.stem != BASE)


def scenario(name: str) -> str:
    """The full text of scenario `name`; ValueError names the ones there are."""
    if name not in names():
        raise ValueError(f"no GB10 scenario {name!r}; there are: {', '.join(names())}")
    return "".join((SCENARIOS / f"{part}.txt").read_text() for part in (BASE, name))


def build(out: Path, absent: tuple[str, ...] = ()) -> Path:
    """Compile into folder `out` (gcc and make needed), less the symbols `absent`; returns `out`."""
    command = ["make", "-s", "-C", str(FOLDER), f"OUT={out.resolve()}", f"ABSENT={' '.join(absent)}"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return out


def install(root: Path) -> None:
    """Put the simulator into the stand-in at `root` (as root) and load `idle`. Can be repeated."""
    built = build(root / LIBRARY_FOLDER)
    replace(root / NVIDIA_SMI, (built / "nvidia-smi").read_text(), mode=0o755)
    replace(root / LIBRARY_PATH_FILE, f"/{LIBRARY_FOLDER}\n")
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    load(root, "idle")


def load(root: Path, name: str) -> None:
    """Switch the stand-in at `root` to scenario `name`; no reader sees half a file."""
    text = scenario(name)
    write_tree(text, root / SYSFS_FOLDER)
    replace(root / SCENARIO_FILE, text)
