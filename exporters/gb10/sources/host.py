"""The machine's /proc and /sys → text, by subject. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ZONE_FILES = ("type", "temp", "trip_point_*_temp", "trip_point_*_type")
DMI_FILES = ("sys_vendor", "product_name", "product_version", "board_name", "bios_version", "chassis_asset_tag")


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
