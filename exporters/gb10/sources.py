"""The machine → text: the only place that reads /proc and /sys and that starts a process. Decides nothing."""

from __future__ import annotations

import os
import select
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ZONE_FILES = ("type", "temp", "trip_point_*_temp", "trip_point_*_type")
DMI_FILES = ("sys_vendor", "product_name", "product_version", "board_name", "bios_version", "chassis_asset_tag")
READ_SIZE = 65536


class Host:
    """The files of one machine, below the roots of its /proc and /sys."""

    def __init__(self, procfs: Path, sysfs: Path) -> None:
        self.procfs, self.sysfs = procfs, sysfs

    def meminfo(self) -> str:
        """/proc/meminfo; OSError when it cannot be read."""
        return (self.procfs / "meminfo").read_text()

    def thermal_zones(self) -> dict[int, dict[str, str]]:
        """Zone number → its files by name; a file that cannot be read (a sensor that is asleep) is left out."""
        zones = {}
        for folder in (self.sysfs / "class/thermal").glob("thermal_zone[0-9]*"):
            paths = {path.name: path for pattern in ZONE_FILES for path in folder.glob(pattern)}
            paths["acpi_path"] = folder / "device/path"
            zones[int(folder.name.removeprefix("thermal_zone"))] = readable(paths)
        return dict(sorted(zones.items()))

    def dmi(self) -> dict[str, str]:
        """What the maker says of the machine: those files of /sys/class/dmi/id that everybody may read."""
        texts = readable({name: self.sysfs / "class/dmi/id" / name for name in DMI_FILES})
        return {name: text.strip() for name, text in texts.items() if text.strip()}


def readable(paths: dict[str, Path]) -> dict[str, str]:
    """The texts of those files that can be read."""
    texts = {}
    for name, path in paths.items():
        try:
            texts[name] = path.read_text()
        except (OSError, UnicodeDecodeError):
            continue
    return texts


class Sampler:
    """A running sampler process, read by lines with a deadline and never waited for."""

    def __init__(self, command: Sequence[str]) -> None:
        # No fork without exec: a hung child that had inherited the listening socket would keep the port.
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self._buffer = b""

    def line(self, timeout_s: float) -> str | None:
        """The next line, or None when the process has closed its output; TimeoutError when neither comes in time."""
        stream = self._process.stdout
        deadline = time.monotonic() + timeout_s
        while stream and b"\n" not in self._buffer:
            if not select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"no sample within {timeout_s:g} s")
            chunk = os.read(stream.fileno(), READ_SIZE)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace")

    def kill(self) -> None:
        """Kill it; it dies at once, or, blocked within the driver, when the driver lets it go."""
        self._process.kill()

    def forget(self) -> None:
        """Kill it and read it no more."""
        self.kill()
        if self._process.stdout:
            self._process.stdout.close()

    def is_gone(self) -> bool:
        """Whether it has died (and is reaped)."""
        return self._process.poll() is not None
