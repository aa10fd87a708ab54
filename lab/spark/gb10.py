"""lab/gb10 (the simulated GB10) → installed in a stand-in, and a scenario loaded into it, running or not.

The library answers as NVML answers on a GB10, the fake /sys lies under /var/lib/gb10/sys; both replay the scenario.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from lab import cache, shell
from lab.errors import LabError
from lab.instance import CHECKOUT
from lab.spark import base

SOURCES = CHECKOUT / "lab" / "gb10"
SCENARIOS = SOURCES / "scenarios"
COMMON = "base.txt"  # the part that all scenarios share
FIRST_SCENARIO = "idle"
LIBRARY = Path("usr/lib/sparkfleet-lab/libnvidia-ml.so.1")
COMMAND = Path("usr/bin/nvidia-smi")
STATE = Path("var/lib/gb10")


def build() -> Path:
    """The compiled simulator's folder, built again when its sources changed."""
    sources = sorted(p for p in SOURCES.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    key = cache.digest(*(f"{p.relative_to(SOURCES)}" for p in sources), *(p.read_bytes() for p in sources))

    def compile_into(out: Path) -> None:
        shell.run("make", "--silent", "-C", SOURCES, f"OUT={out}")

    return cache.once(f"gb10-{key}", compile_into)


def install(root: Path) -> None:
    """Put library, nvidia-smi and the first scenario into the tree of a stand-in."""
    if not (SOURCES / "sysfs.py").exists():
        return
    built = build()
    for name, target, mode in (("libnvidia-ml.so.1", LIBRARY, 0o644), ("nvidia-smi", COMMAND, 0o755)):
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(built / name, root / target)
        (root / target).chmod(mode)
    (root / "etc/ld.so.conf.d/sparkfleet-lab.conf").write_text(f"/{LIBRARY.parent}\n")
    base.inside(root, "ldconfig")
    load(root, FIRST_SCENARIO)


def scenarios() -> list[str]:
    """The names that `load` knows."""
    return sorted(p.stem for p in SCENARIOS.glob("*.txt") if p.name != COMMON)


def load(root: Path, scenario: str) -> None:
    """Replace the scenario in the tree of a stand-in; what runs there sees the old or the new one, never half."""
    if scenario not in scenarios():
        raise LabError(f"there is no scenario {scenario!r}", next_step=f"choose one of {', '.join(scenarios())}")
    state = root / STATE
    state.mkdir(parents=True, exist_ok=True)
    fresh = state / "scenario.new"
    fresh.write_text((SCENARIOS / COMMON).read_text() + (SCENARIOS / f"{scenario}.txt").read_text())
    fresh.chmod(0o644)
    shell.run(sys.executable, "-m", "lab.gb10.sysfs", fresh, state / "sys", cwd=CHECKOUT)
    fresh.replace(state / "scenario")
