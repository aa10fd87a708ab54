"""What became of keeping a project's records → kept.json in its workspace, for people, exporter and next time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from workloads.label import records
from workloads.label.keeping.table import STATE

if TYPE_CHECKING:
    from workloads.label.workspace import Workspace

FORMAT = 1


class Kept(records.Record):
    """The last time they were kept, and the last try. `told`: why that one failed; empty when it did not."""

    format: int = FORMAT
    project: str
    since: dt.datetime  # when it was first tried here
    kept_at: dt.datetime | None = None  # when all of it was in the store for the last time; None: never
    version: str = ""  # that time's
    trying: str = ""  # a version that may have come to be: its writer died, or did not hear
    files: records.Count = 0
    size_bytes: records.Count = 0
    told: str = ""

    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        return self.model_dump(mode="json")

    def shown(self) -> str:
        """For people."""
        last = f"{self.kept_at:%Y-%m-%d %H:%M} UTC, {self.files} files" if self.kept_at else "never yet"
        return f"{last}; the last try failed: {self.told}" if self.told else last


def read(work: Workspace) -> Kept | None:
    """None when it was never tried, or cannot be read: it is written anew."""
    try:
        return Kept.model_validate_json(work.path(STATE).read_bytes())
    except (OSError, ValidationError):
        return None


def write(work: Workspace, record: Kept) -> None:
    """Readers see the old one or the new one."""
    work.put(STATE, record.model_dump_json(indent=1).encode())
