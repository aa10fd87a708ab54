"""The files of thermal zones (text) → temperatures and trip points in °C. Pure; None: the sensor is silent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ABSOLUTE_ZERO_CELSIUS = -273.15  # the kernel marks an unset thermal value as -274 °C


@dataclass(frozen=True, slots=True)
class Trip:
    """A temperature at which the kernel acts: `kind` is critical, hot, passive or active."""

    number: int
    kind: str
    celsius: float


@dataclass(frozen=True, slots=True)
class Zone:
    """One thermal zone; `name` is the last part of its ACPI path (TSOC), since a GB10's zones all have one type."""

    number: int
    kind: str
    name: str
    celsius: float | None
    trips: tuple[Trip, ...]

    @property
    def critical_distance_celsius(self) -> float | None:
        """Degrees left until the kernel powers the machine off; None without a temperature or a critical trip."""
        critical = [trip.celsius for trip in self.trips if trip.kind == "critical"]
        return None if self.celsius is None or not critical else round(min(critical) - self.celsius, 3)


def zone(number: int, files: Mapping[str, str]) -> Zone:
    """The files of /sys/class/thermal/thermal_zoneN (name → content, `acpi_path` from device/path) → a zone."""
    trips = []
    for name in sorted(files):
        match = re.fullmatch(r"trip_point_(\d+)_temp", name)
        trip_celsius = celsius(files[name]) if match else None
        if match and trip_celsius is not None:
            kind = files.get(f"trip_point_{match[1]}_type", "").strip()
            trips.append(Trip(int(match[1]), kind, trip_celsius))
    acpi_name = files.get("acpi_path", "").strip().rpartition(".")[2]
    return Zone(number, files.get("type", "").strip(), acpi_name, celsius(files.get("temp", "")), tuple(trips))


def celsius(text: str) -> float | None:
    """Millidegrees as the kernel writes them → °C; None when there is no number or the kernel's mark for none."""
    try:
        degrees = int(text) / 1000
    except ValueError:
        return None
    return degrees if degrees > ABSOLUTE_ZERO_CELSIUS else None
