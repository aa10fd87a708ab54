"""What the root oneshot counted in the kernel log → counts and last times of NVIDIA's messages. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporters.gb10.readings.handover import as_count, as_time

if TYPE_CHECKING:
    from collections.abc import Mapping

XIDS_MAX = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """How often a message was seen, and when last (seconds since 1970; None: never)."""

    count: float
    last_at: float | None


@dataclass(frozen=True, slots=True)
class KernelLog:
    """Counts go over boots, from the oneshot's first run on."""

    xid: Mapping[str, Seen]
    out_of_memory: Seen | None
    lost_records: float | None


def kernel_log(told: Mapping[str, Any]) -> KernelLog:
    """The part `kernel_log` of the oneshot's file."""
    codes = told.get("xid")
    found = {str(code): seen(entry) for code, entry in (codes.items() if isinstance(codes, dict) else ())}
    xid = {code: entry for code, entry in sorted(found.items()) if entry}
    return KernelLog(
        dict(list(xid.items())[:XIDS_MAX]), seen(told.get("out_of_memory")), as_count(told.get("lost_records"))
    )


def seen(entry: object) -> Seen | None:
    """{"count": …, "last": …} → a count and a time; None for anything else."""
    if not isinstance(entry, dict):
        return None
    count = as_count(entry.get("count"))
    return None if count is None else Seen(count, as_time(entry.get("last")))
