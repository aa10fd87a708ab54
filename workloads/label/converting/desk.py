"""The state of a batch on the disk: what has no record yet, what is staged for workers, and the records put down."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
from collections import Counter
from typing import TYPE_CHECKING

from workloads.errors import DISK_FULL, DamagedError
from workloads.label import archive
from workloads.label.converting import ending
from workloads.label.converting.messages import Reader, Seen
from workloads.label.converting.shelf import Shelf
from workloads.label.records import Converted, Document, Quarantined, Record, Why

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.converting.ending import Ending
    from workloads.label.stages import Context, Report

DOCUMENTS, CONVERTED, QUARANTINE = "documents.jsonl", "converted.jsonl", "quarantine.jsonl"
TRIAGED, SETTINGS = "triaged.jsonl", "converting.json"
CHUNK_BYTES = 1 << 20
MOST_KILLS = 3  # of workers at one and the same task, by others; then it is the task


class Triaged(Record):
    """What triage saw of a document, so that a run that goes on need not look again."""

    document: str
    seen: Seen


class Desk:
    """One batch's. `scratch` is emptied when it is made: whatever lies there was a dead run's."""

    def __init__(self, context: Context) -> None:
        self._site, self._work, self._most = context.site, context.work, context.params.convert.max_bytes
        self._settings = hashlib.sha256(context.params.convert.model_dump_json().encode()).hexdigest()
        self._kills: Counter[str] = Counter()
        self.shelf = Shelf(context.work, self._settings)
        self.scratch = context.work.path("scratch")
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        self.counts: Counter[str] = Counter(converted=0, partial=0, quarantined=0, not_there=0, killed_workers=0)
        self.reasons: Counter[Why] = Counter()

    def todo(self) -> list[Document]:
        """Those without a record. When the project's settings have changed, those in quarantine are tried again."""
        documents = {each.id: each for each in self._work.read(Document, DOCUMENTS)}
        done = {each.document for each in self._work.read(Converted, CONVERTED)}
        aside = self._work.read(Quarantined, QUARANTINE)
        file = self._work.path(SETTINGS)
        changed = not file.exists() or file.read_text(encoding="ascii") != self._settings
        keep = [q for q in aside if q.document not in done and not (changed and q.document in documents)]
        if len(keep) != len(aside):
            self._work.replace(QUARANTINE, keep)
        if changed:
            self._work.put(SETTINGS, self._settings.encode())
        done |= {each.document for each in keep}
        for left in self._work.path("slices").glob("*"):
            if left.name in done:
                self.shelf.forget(left.name)
        return [each for each in documents.values() if each.id not in done]

    def seen(self) -> dict[str, Seen]:
        """What earlier runs saw."""
        return {each.document: each.seen for each in self._work.read(Triaged, TRIAGED)}

    def saw(self, document: Document, seen: Seen) -> None:
        """Keep it."""
        self._work.append(TRIAGED, [Triaged(document=document.id, seen=seen)])

    def copy(self, document: Document, target: Path) -> bool:
        """A document's bytes, if they still are what was fetched; otherwise False: the next fetch takes them anew."""
        if document.size_bytes > self._most:
            self.aside(document, Why.HOSTILE, f"{document.size_bytes} bytes; convert.max_bytes is {self._most}", [])
            return False
        try:
            if self._copied(document, target) == document.id:
                return True
        except DamagedError:
            pass  # it is not there any more
        except OSError as error:  # or not to be read
            if error.errno in DISK_FULL:
                raise
        self.counts["not_there"] += 1
        target.unlink(missing_ok=True)
        return False

    def _copied(self, document: Document, target: Path) -> str:
        digest = hashlib.sha256()
        with archive.read(document, self._site) as source, target.open("wb") as out:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                out.write(chunk)
        return digest.hexdigest()

    def killed(self, task: str) -> bool:
        """Somebody killed the worker at this task; whether to try again."""
        self.counts["killed_workers"] += 1
        self._kills[task] += 1
        return self._kills[task] < MOST_KILLS

    def aside(self, document: Document, why: Why, detail: str, tried: list[Reader]) -> None:
        """Put a document into quarantine."""
        self.keep(ending.quarantined(document, why, detail, tried, dt.datetime.now(dt.UTC)))

    def put_down(self, end: Ending) -> None:
        """A document's record, after all that it speaks of; then what was kept for it may go."""
        aside = end.set_aside(dt.datetime.now(dt.UTC))
        self.keep(aside or end.converted(*self.shelf.write(end.document.id, end.parts)))
        self.shelf.forget(end.document.id)

    def keep(self, record: Converted | Quarantined) -> None:
        """The last word on a document; what it speaks of is there already."""
        if isinstance(record, Quarantined):
            self._work.append(QUARANTINE, [record])
            self.counts["quarantined"] += 1
            self.reasons[record.why] += 1
        else:
            self._work.append(CONVERTED, [record])
            self.counts["converted"] += 1
            self.counts["partial"] += record.partial

    def told(self, new: int, pages: int, seconds: float) -> Report:
        """What the stage says of it."""
        return {
            "new": new,
            **self.counts,
            "why": ", ".join(f"{count} {why}" for why, count in sorted(self.reasons.items())) or None,
            "pages": pages,
            "pages_s": round(pages / seconds, 2) if pages else None,
            "seconds": round(seconds, 3),
        }
