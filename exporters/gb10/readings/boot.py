"""/proc/stat, boot_id (text), and the root oneshot's word on earlier boots → this boot, how the last ended. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.gb10.readings.handover import as_count, as_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True, slots=True)
class Boot:
    """None: not known. Unclean: the machine went off or froze without a shutdown."""

    boot_id: str | None
    started_at: float | None  # seconds since 1970
    unclean: float | None = None
    previous_clean: bool | None = None
    last_unclean_at: float | None = None
    faults: tuple[str, ...] = ()


def boot(files: Mapping[str, str], told: Mapping[str, Any]) -> Boot:
    """The files stat and boot_id, and the part `boot` of the oneshot's file."""
    faults = []
    boot_id: str | None = files.get("boot_id", "").strip()
    if boot_id and not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", boot_id):
        faults.append("boot_id is no UUID")
        boot_id = None
    started = re.search(r"^btime (\d{1,12})$", files.get("stat", ""), flags=re.MULTILINE)
    if files.get("stat") and not started:
        faults.append("stat has no btime")
    clean = told.get("previous_clean")
    return Boot(
        boot_id or None,
        float(started[1]) if started else None,
        as_count(told.get("unclean")),
        clean if isinstance(clean, bool) else None,
        as_time(told.get("last_unclean")),
        tuple(faults),
    )
