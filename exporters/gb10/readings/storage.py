"""`nvme smart-log` as the root oneshot hands it over, and /sys/class/nvme (text) → health of the drives. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporters.gb10.readings.handover import as_count

if TYPE_CHECKING:
    from collections.abc import Mapping

DRIVES_MAX = 16
ZERO_CELSIUS_KELVIN = 273.15
PERCENT = 0.01


@dataclass(frozen=True, slots=True)
class Drive:
    """One NVMe drive; None: it does not say. Field names are ends of metric names."""

    device: str
    model: str
    firmware: str
    percentage_used_ratio: float | None  # of the drive's rated life; may pass 1
    available_spare_ratio: float | None
    unsafe_shutdowns: float | None
    media_errors: float | None
    critical_warning: float | None  # bits of the NVMe specification; 0 is well
    temperature_celsius: float | None


def drives(sysfs: Mapping[str, Mapping[str, str]], told: Mapping[str, Any]) -> list[Drive]:
    """Files of each controller (model, firmware_rev), and the part `nvme` of the oneshot's file, by device."""
    return [drive(name, sysfs.get(name, {}), told.get(name)) for name in sorted({*sysfs, *told})[:DRIVES_MAX]]


def drive(device: str, files: Mapping[str, str], health: object) -> Drive:
    """One controller. nvme-cli 2 writes whole numbers, the temperature in Kelvin."""
    log = health if isinstance(health, dict) else {}
    kelvin = value(log, "temperature")
    used, spare = value(log, "percent_used"), value(log, "avail_spare")
    return Drive(
        device,
        files.get("model", "").strip(),
        files.get("firmware_rev", "").strip(),
        None if used is None else round(used * PERCENT, 2),
        None if spare is None else round(spare * PERCENT, 2),
        value(log, "unsafe_shutdowns"),
        value(log, "media_errors"),
        value(log, "critical_warning"),
        round(kelvin - ZERO_CELSIUS_KELVIN, 2) if kelvin else None,  # 0 K: the drive has no sensor
    )


def value(log: Mapping[str, Any], name: str) -> float | None:
    """A number of the log: plain, in a string (128 bits do not fit JSON) or in an object beside its bits."""
    found = log.get(name)
    if isinstance(found, dict):
        found = found.get("value")
    if isinstance(found, str) and found.isdecimal() and len(found) < 20:
        found = int(found)
    return as_count(found)
