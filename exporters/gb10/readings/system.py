"""os-release, dgx-release and version files (text) → which system and which driver this is. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def system(files: Mapping[str, str]) -> dict[str, str]:
    """The files os-release, dgx-release and osrelease → release, ota and kernel; what is not said has no key.

    Each update over the air appends its lines to /etc/dgx-release: the last one counts.
    """
    found = {
        "release": setting(files.get("os-release", ""), "PRETTY_NAME"),
        "ota": setting(files.get("dgx-release", ""), "DGX_OTA_VERSION"),
        "kernel": files.get("osrelease", "").strip(),
    }
    return {name: text for name, text in found.items() if text}


def driver(loaded: str, installed: object) -> dict[str, str]:
    """Version of the loaded module (its text in /sys) and of the installed one → what is known of them."""
    found = {"loaded": loaded.strip(), "installed": installed.strip() if isinstance(installed, str) else ""}
    return {name: text for name, text in found.items() if text}


def setting(text: str, name: str) -> str:
    """The last value of NAME=value or NAME="value"; "" when there is none."""
    values: list[str] = re.findall(rf'^{name}="?([^"\n]*)"?[ \t]*$', text, flags=re.MULTILINE)
    return values[-1].strip() if values else ""
