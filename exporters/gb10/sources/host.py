"""The machine's /proc, /sys, /etc and /run → text, by subject. Decides nothing."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ZONES, SENSORS = re.compile(r"thermal_zone\d+"), re.compile(r"hwmon\d+")
ZONE_FILES = re.compile(r"type|temp|trip_point_\d+_(?:temp|type)")
DMI_FILES = ("sys_vendor", "product_name", "product_version", "board_name", "bios_version", "chassis_asset_tag")
MEMORY_FILES = {
    "meminfo": "meminfo",
    "vmstat": "vmstat",
    "buddyinfo": "buddyinfo",
    "pressure": "pressure/memory",
}
POWER_FILES = re.compile(r"power\d+_(?:label|input|cap)|energy\d+_(?:label|input)|prochot|pl_level")
SPBM_DEVICE = "bus/platform/devices/NVDA8800:00"
PORT_FILES = {
    **{name: name for name in ("operstate", "carrier", "speed", "mtu")},
    **{name: f"device/{name}" for name in ("uevent", "aer_dev_correctable", "aer_dev_nonfatal", "aer_dev_fatal")},
}
CONNECTX_7 = ("0x15b3", "0x1021")
# Where a GB10's GPU is, and what it is (several public dumps agree).
GB10_GPU = ("bus/pci/devices/000f:01:00.0", ("0x10de", "0x2e12"))


class Host:
    """The files of one machine, below the roots of its /proc and /sys and of its filesystem."""

    def __init__(self, procfs: Path, sysfs: Path, rootfs: Path = Path("/")) -> None:
        self.procfs, self.sysfs, self.rootfs = procfs, sysfs, rootfs
        self._memory = {name: procfs / path for name, path in MEMORY_FILES.items()}
        self.page_bytes = os.sysconf("SC_PAGE_SIZE")

    def memory(self) -> dict[str, str]:
        """What the kernel says of memory: meminfo, vmstat, buddyinfo, pressure (absent from a kernel without PSI)."""
        return readable(self._memory)

    def thermal_zones(self) -> dict[int, dict[str, str]]:
        """Zone number → its files by name; a file that cannot be read (a sensor that is asleep) is left out."""
        zones = {}
        for name, folder in matching(self.sysfs / "class/thermal", ZONES).items():
            paths = matching(folder, ZONE_FILES)
            paths["acpi_path"] = folder / "device/path"
            zones[int(name.removeprefix("thermal_zone"))] = readable(paths)
        return dict(sorted(zones.items()))

    def power(self) -> dict[str, str]:
        """The files of the hwmon device `spbm`, its status beside them or on the ACPI device; {} without the driver."""
        for folder in matching(self.sysfs / "class/hwmon", SENSORS).values():
            if read(folder / "name").strip() == "spbm":
                return readable(matching(self.sysfs / SPBM_DEVICE, POWER_FILES) | matching(folder, POWER_FILES))
        return {}

    def connectx(self) -> dict[str, dict[str, str]]:
        """Network device → its files, for every ConnectX-7."""
        return {
            folder.name: readable({name: folder / path for name, path in PORT_FILES.items()})
            for folder in (self.sysfs / "class/net").glob("*")
            if pci_identity(folder / "device") == CONNECTX_7
        }

    def has_gb10(self) -> bool:
        """Whether the PCI bus has a GB10's GPU."""
        return pci_identity(self.sysfs / GB10_GPU[0]) == GB10_GPU[1]

    def nvme(self) -> dict[str, dict[str, str]]:
        """NVMe controller → its model and firmware; not its serial number."""
        folders = (self.sysfs / "class/nvme").glob("nvme[0-9]*")
        return {
            folder.name: readable({name: folder / name for name in ("model", "firmware_rev")}) for folder in folders
        }

    def mounts(self) -> str:
        """What this process sees mounted where; "" when that cannot be read."""
        return read(self.procfs / "mounts")

    def space(self, mountpoints: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Mount point → size and what is left for ordinary users, in bytes; without those that do not answer."""
        found = {}
        for point in mountpoints:
            try:
                told = os.statvfs(self.rootfs / point.lstrip("/"))
            except (OSError, ValueError):
                continue
            found[point] = (told.f_blocks * told.f_frsize, told.f_bavail * told.f_frsize)
        return found

    def clock(self) -> tuple[float, bool | None]:
        """The host's own time, and whether systemd-timesyncd has set it; None where timesyncd does not run."""
        folder = self.rootfs / "run/systemd/timesync"
        return time.time(), (folder / "synchronized").exists() if folder.is_dir() else None

    def boot(self) -> dict[str, str]:
        """What tells one boot from another."""
        return readable({"stat": self.procfs / "stat", "boot_id": self.procfs / "sys/kernel/random/boot_id"})

    def system(self) -> dict[str, str]:
        """The names of the operating system and its kernel."""
        etc = self.rootfs / "etc"
        paths = {"os-release": etc / "os-release", "dgx-release": etc / "dgx-release"}
        return readable(paths | {"osrelease": self.procfs / "sys/kernel/osrelease"})

    def driver(self) -> str:
        """Version of the loaded NVIDIA module, or ""."""
        return read(self.sysfs / "module/nvidia/version")

    def dmi(self) -> dict[str, str]:
        """What the maker says of the machine: those files of /sys/class/dmi/id that everybody may read."""
        texts = readable({name: self.sysfs / "class/dmi/id" / name for name in DMI_FILES})
        return {name: text.strip() for name, text in texts.items() if text.strip()}


def boottime_s() -> float:
    """Seconds since the machine started, by a clock that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def pci_identity(folder: Path) -> tuple[str, str]:
    """Vendor and device number of a PCI device, as the kernel writes them."""
    return read(folder / "vendor").strip(), read(folder / "device").strip()


def matching(folder: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    """What the folder has of such names, by name in order; {} without the folder. A tenth of what Path.glob takes."""
    try:
        names = os.listdir(folder)  # noqa: PTH208  the same
    except OSError:
        return {}
    return {name: folder / name for name in sorted(names) if pattern.fullmatch(name)}


def readable(paths: dict[str, Path]) -> dict[str, str]:
    """The texts of those files that can be read and are not empty."""
    return {name: text for name, path in paths.items() if (text := read(path))}


def read(path: Path) -> str:
    """The file's text, "" when it cannot be read; bytes that are no text become signs that no reading accepts."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  a third of read_text's time, at each scrape
            return file.read().decode(errors="replace")
    except OSError:
        return ""
