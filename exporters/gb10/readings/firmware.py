"""fwupd's devices as the root oneshot hands them over → components with their versions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

COMPONENTS_MAX = 32
LABEL_MAX = 80


@dataclass(frozen=True, slots=True)
class Component:
    """One piece of firmware; `update_available` None: fwupd does not say."""

    name: str
    version: str
    update_available: bool | None


def components(told: Mapping[str, Any]) -> list[Component]:
    """The part `firmware` of the oneshot's file: {"devices": as `fwupdmgr get-devices --json`, "updates": device ids}.

    Only what fwupd can update. Names are made unique with a number, since fwupd has several devices of one name.
    """
    devices, updates = told.get("devices"), told.get("updates")
    found: dict[str, Component] = {}
    for device in devices if isinstance(devices, list) else ():
        if len(found) == COMPONENTS_MAX or not isinstance(device, dict):
            continue
        name, version, flags = device.get("Name"), device.get("Version"), device.get("Flags")
        if not isinstance(name, str) or not isinstance(version, str) or not isinstance(flags, list):
            continue
        if name and version and "updatable" in flags:
            unique = unique_name(name[:LABEL_MAX], found)
            update = device.get("DeviceId") in updates if isinstance(updates, list) else None
            found[unique] = Component(unique, version[:LABEL_MAX], update)
    return list(found.values())


def unique_name(name: str, taken: Container[str]) -> str:
    """The name, with the first free number behind it if it is taken."""
    number = 1
    while (unique := name if number == 1 else f"{name} {number}") in taken:
        number += 1
    return unique
