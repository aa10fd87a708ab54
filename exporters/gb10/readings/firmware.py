"""fwupd's devices as the root oneshot hands them over → components with their versions. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPONENTS_MAX = 32
LABEL_MAX = 80


@dataclass(frozen=True, slots=True)
class Component:
    """One piece of firmware; `update_available` None: fwupd does not say."""

    name: str
    version: str
    update_available: bool | None


def components(told: Mapping[str, Any]) -> list[Component]:
    """The part `firmware` of the oneshot's file: {"components": [{name, version, update_available}, …]}.

    Names are made unique with a number, since fwupd has several devices of one name.
    """
    entries = told.get("components")
    found: dict[str, Component] = {}
    for entry in entries[:COMPONENTS_MAX] if isinstance(entries, list) else ():
        name, version = (entry.get("name"), entry.get("version")) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
            continue
        name, number = name[:LABEL_MAX], 1
        while (unique := name if number == 1 else f"{name} {number}") in found:
            number += 1
        update = entry.get("update_available")
        found[unique] = Component(unique, version[:LABEL_MAX], update if isinstance(update, bool) else None)
    return list(found.values())
