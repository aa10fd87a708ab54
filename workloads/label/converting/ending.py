"""A document of which nothing is left to try → its record: converted, perhaps in part, or set aside with the reason.

Pure. What no reader could read of a document that has text is told in its notes; nothing is silently left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.errors import printable
from workloads.label.converting import checks
from workloads.label.converting.judge import BY_MODEL
from workloads.label.converting.messages import Reader
from workloads.label.records import Converted, Quarantined, Why

if TYPE_CHECKING:
    import datetime as dt

    from workloads.label.converting.messages import Part, Seen
    from workloads.label.converting.plan import Failure
    from workloads.label.converting.shelf import Read
    from workloads.label.records import Document

MOST_NOTES = 20


@dataclass(frozen=True)
class Ending:
    """All that is known of a document at its end."""

    document: Document
    seen: Seen
    reads: list[Read]
    failed: list[Failure]
    tried: list[Reader]

    @property
    def parts(self) -> list[Part]:
        """In the order of the pages."""
        placed = [
            part if part.page or not read.first else part.model_copy(update={"page": read.first})
            for read in sorted(self.reads, key=lambda read: read.first)
            for part in read.parts
        ]
        return sorted(placed, key=lambda part: part.page)

    def set_aside(self, at: dt.datetime) -> Quarantined | None:
        """Why nobody should see it; None when there is text to work with."""
        text = "\n".join(part.text for part in self.parts)
        fault = checks.fault(text, by_model=False)
        if self.failed and (not self.reads or fault):
            first = self.failed[0]
            fault = first.why, f"{first.slice}: {first.detail}"
        if fault is None:
            return None
        return quarantined(self.document, *fault, [Reader.TRIAGE, *self.tried], at)

    def converted(self, text: str, text_sha256: str) -> Converted:
        """The record of its text."""
        notes = [f"{failure.slice}: {failure.why}: {failure.detail}" for failure in self.failed]
        if self.seen.blind:
            notes.append("looking at its pages killed a worker: those that are pictures were not read")
        notes += [note for read in self.reads for note in read.notes]
        readers = sorted({read.reader for read in self.reads})
        return Converted(
            document=self.document.id,
            backend="+".join(readers),
            text=text,
            text_sha256=text_sha256,
            pages=len(self.seen.characters),
            read_pages=sum(
                read.last - read.first + 1 - len(read.failed) for read in self.reads if read.reader in BY_MODEL
            ),
            tables=sum(part.cells is not None for part in self.parts) + (Reader.TABLE in readers),
            seconds=round(sum(read.seconds for read in self.reads), 3),
            partial=bool(self.failed),
            notes=[printable(note) for note in notes[:MOST_NOTES]],
        )


def quarantined(document: Document, why: Why, detail: str, tried: list[Reader], at: dt.datetime) -> Quarantined:
    """The record of a document that is set aside."""
    names = [str(reader) for reader in tried]
    return Quarantined(document=document.id, path=document.path, why=why, detail=printable(detail), tried=names, at=at)
