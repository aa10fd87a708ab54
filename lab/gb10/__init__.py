"""Scenario files → a stand-in that behaves like a GB10: NVML library, tools, /proc, /sys, kernel log. Simulated.

    build(out)            out/libnvidia-ml.so.1 and the programs nvidia-smi, nvme, fwupdmgr and modinfo
    scenario("stress")    the text of a scenario: what all share, what it is like, then its own lines
    put(text, folder)     the text into folder: scenario, sys/, proc/, root/, tools/ and kmsg, as they are at its start
    install(root)         everything into a stand-in's root folder, scenario `idle` loaded, a player that starts with it
    load(root, "stress")  another scenario into a stand-in that may be running

What a scenario can say about NVML is written in scenario.h, about files and the kernel log in statements.py; the
recorded values, each with its source and grade, are in scenarios/. A capture of a real machine (exporters/gb10/capture)
is a scenario too. Values that move are NVML's own business; files that move need a player (player.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from lab.gb10 import kernel_log
from lab.gb10.statements import statements
from lab.gb10.tree import alone, replace, write

__all__ = ["build", "install", "load", "names", "put", "replace", "scenario"]

FOLDER = Path(__file__).resolve().parent
SCENARIOS = FOLDER / "scenarios"
BASE = "base"
LIKE = re.compile(r"^like ([a-z0-9-]+)$", flags=re.MULTILINE)

# Where things lie within a stand-in.
LIBRARY_FOLDER = Path("usr/lib/sparkfleet-lab")
LIBRARY_PATH_FILE = Path("etc/ld.so.conf.d/sparkfleet-lab.conf")
TOOLS = {
    "nvidia-smi": Path("usr/bin/nvidia-smi"),
    "nvidia-smi-set": Path("usr/bin/nvidia-smi-set"),
    "nvidia-ctk": Path("usr/bin/nvidia-ctk"),
    "nvme": Path("usr/local/sbin/nvme"),  # before the real one, which the role exporter installs
    "fwupdmgr": Path("usr/bin/fwupdmgr"),
    "modinfo": Path("usr/local/sbin/modinfo"),  # before the real one, which knows no driver of NVIDIA
}
UNIT = "sparkfleet-lab-gb10.service"
UNITS = Path("etc/systemd/system")
GB10_FOLDER = Path("var/lib/gb10")
SCENARIO_FILE = GB10_FOLDER / "scenario"
SYSFS_FOLDER = GB10_FOLDER / "sys"
PROCFS_FOLDER = GB10_FOLDER / "proc"
KERNEL_LOG = GB10_FOLDER / kernel_log.NAME


def names() -> list[str]:
    """The scenarios there are, sorted: idle, inference and so on."""
    return sorted(path.stem for path in SCENARIOS.glob("*.txt") if path.stem != BASE)


def scenario(name: str) -> str:
    """The full text of scenario `name`; ValueError names the ones there are.

    A line `like OTHER` stands for the lines of that scenario.
    """
    if name not in names():
        raise ValueError(f"no GB10 scenario {name!r}; there are: {', '.join(names())}")
    return (SCENARIOS / f"{BASE}.txt").read_text() + own_text(name)


def own_text(name: str) -> str:
    """A scenario without what all share."""
    return LIKE.sub(lambda line: own_text(line[1]).rstrip("\n"), (SCENARIOS / f"{name}.txt").read_text())


def build(out: Path, absent: tuple[str, ...] = ()) -> Path:
    """Compile into folder `out` (gcc and make needed), less the symbols `absent`; returns `out`."""
    command = ["make", "-s", "-C", str(FOLDER), f"OUT={out.resolve()}", f"ABSENT={' '.join(absent)}"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return out


def put(text: str, folder: Path, age_s: float = 0.0) -> None:
    """A scenario's text into `folder`, which may have another one; no reader sees half a file.

    The files are those of a scenario that began `age_s` ago. ValueError: a line makes no sense; nothing is changed.
    """
    wanted = statements(text)
    with alone(folder):
        write(wanted, folder, age_s)
        replace(folder / "scenario", text)
        began = (folder / "scenario").stat().st_mtime - age_s
        os.utime(folder / "scenario", (began, began))
        kernel_log.emit(folder, wanted.records, (folder / "scenario").stat().st_mtime, age_s)


def install(root: Path) -> None:
    """Put the simulator into the stand-in at `root` (as root) and load `idle`. Can be repeated."""
    built = build(root / LIBRARY_FOLDER)
    for name, place in TOOLS.items():
        replace(root / place, (built / name).read_text(), mode=0o755)
    replace(root / LIBRARY_PATH_FILE, f"/{LIBRARY_FOLDER}\n")
    subprocess.run(["ldconfig", "-r", str(root)], check=True)
    install_player(root)
    load(root, "idle")


def install_player(root: Path) -> None:
    """The player's modules and its unit, enabled: it starts when the stand-in boots."""
    package = root / LIBRARY_FOLDER / "lab"
    replace(package / "__init__.py", (FOLDER.parent / "__init__.py").read_text())
    for source in FOLDER.glob("*.py"):
        replace(package / "gb10" / source.name, source.read_text())
    replace(root / UNITS / UNIT, (FOLDER / UNIT).read_text())
    wanted_by = root / UNITS / "multi-user.target.wants" / UNIT
    wanted_by.parent.mkdir(parents=True, exist_ok=True)
    wanted_by.unlink(missing_ok=True)
    wanted_by.symlink_to(f"/{UNITS / UNIT}")


def load(root: Path, name: str) -> None:
    """Switch the stand-in at `root` to scenario `name`; it starts now."""
    put(scenario(name), root / GB10_FOLDER)
