"""The project's source → documents.jsonl: every file by its content, once; only what is new or changed is read.

Nothing is copied: a record says where a document lies. A data set's manifest knows most digests already.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from workloads.errors import printable
from workloads.label import archive
from workloads.label.records import Count, Document, Quarantined, Record, Sha256, Why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO

    from workloads.label.archive import Found, Source
    from workloads.label.stages import Context, Report

DOCUMENTS, SEEN, QUARANTINE = "documents.jsonl", "seen.jsonl", "quarantine.jsonl"
NAMELESS = "its name is no text (not UTF-8): rename it"
CHUNK_BYTES = 1 << 20
WRITTEN_EVERY = 500  # files: what a kill costs at most


class Seen(Record):
    """A file as it was when its content was read: unchanged, it is not read again."""

    path: str
    id: Sha256
    size: Count
    mtime_ns: int
    ctime_ns: int  # nobody sets this one at will
    inode: int

    def still(self, status: os.stat_result) -> bool:
        """Whether the file is the one that was read."""
        return self.model_dump(exclude={"path", "id"}) == _mark(status)


def _mark(status: os.stat_result) -> dict[str, int]:
    """What differs when a file was changed or replaced."""
    return {
        "size": status.st_size, "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns, "inode": status.st_ino,
    }  # fmt: skip


def printable_name(path: str) -> str:
    """The path, where it is text; else with a mark in the place of each byte that is none."""
    return path.encode(errors="surrogateescape").decode(errors="replace")


def run(context: Context) -> Report:
    """Look at every file of the source; raises ConfigError without a source, DamagedError for our own records."""
    with archive.opened(context.params, context.site) as source:
        return Fetching(context, source).run()


class Fetching:
    """One look at one source."""

    def __init__(self, context: Context, source: Source) -> None:
        self.work, self.tell, self.source = context.work, context.tell, source
        self.documents = {each.id: each for each in self.work.read(Document, DOCUMENTS)}
        self.seen = {each.path: each for each in self.work.read(Seen, SEEN)}
        self.left_out: Counter[str] = Counter()
        self.nameless: dict[str, str] = {}  # id → a name that is no text
        self.read_bytes = 0

    def run(self) -> Report:
        """Do it; what is found is on the disk every some hundred files."""
        began, known = time.monotonic(), set(self.documents)
        here: dict[str, Seen] = {}
        fresh: list[Seen] = []
        for seen in self._files():
            here[seen.path] = seen
            if seen != self.seen.get(seen.path) or seen.id not in self.documents:
                fresh.append(seen)
            if len(fresh) >= WRITTEN_EVERY:
                self._write(fresh)
                fresh = []
            self.tell(len(here), None, seen.path)
        self._write(fresh)
        moved = self._moved(here.values())
        if here != self.seen:
            self.work.replace(SEEN, here.values())
        self._set_aside()
        there = {seen.id for seen in here.values()}
        return {
            "new": len(self.documents.keys() - known),
            "documents": len(self.documents),
            "files": len(here),
            "same_bytes": len(here) - len(there),
            "moved": moved,
            "gone": len(self.documents.keys() - there),
            "left_out": ", ".join(f"{count} {what}" for what, count in sorted(self.left_out.items()) if count) or None,
            "read_bytes": self.read_bytes,
            "source": self.source.name,
            "seconds": round(time.monotonic() - began, 3),
        }

    def _files(self) -> Iterator[Seen]:
        """Every file whose content is known now."""
        for found in archive.files(self.source, self.left_out):
            text = printable_name(found.path)
            before = self.seen.get(found.path)
            if before and before.still(found.status):
                yield before
            elif content := self._content(found):
                if text == found.path:
                    yield Seen(path=text, id=content, **_mark(found.status))
                else:
                    self.nameless[content] = text

    def _content(self, found: Found) -> str | None:
        """Read it, or ask the manifest; None when it cannot be read, or changes while it is read."""
        try:
            with os.fdopen(archive.plain(found.name, found.folder), "rb", buffering=0) as file:
                content = self.source.digest(found.path, found.status) or self._digest(file)
                after = os.fstat(file.fileno())
        except OSError as error:
            self._leave(found, "unreadable", error.strerror or "it cannot be read")
            return None
        if _mark(after) != _mark(found.status):
            self._leave(found, "still being written", "it changes; the next run takes it")
            return None
        return content

    def _digest(self, file: FileIO) -> str:
        total = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            total.update(chunk)
            self.read_bytes += len(chunk)
        return total.hexdigest()

    def _leave(self, found: Found, why: str, detail: str) -> None:
        self.left_out[why] += 1
        print(f"{printable(found.path)}: {detail}", file=sys.stderr)

    def _write(self, seen: list[Seen]) -> None:
        """Documents first: a kill between both lets files be read again, never be lost."""
        now = dt.datetime.now(dt.UTC)
        new: dict[str, Document] = {}
        for each in seen:
            if each.id not in self.documents and each.id not in new:
                new[each.id] = Document(
                    id=each.id, path=each.path, size_bytes=each.size, source=self.source.name, fetched_at=now
                )
        if new:
            self.work.append(DOCUMENTS, new.values())
        if seen:
            self.work.append(SEEN, seen)
        self.documents |= new

    def _moved(self, here: Iterable[Seen]) -> int:
        """Documents that lie elsewhere now, under another name or in a newer version, get their new place."""
        places: dict[str, list[str]] = {}
        for seen in here:
            places.setdefault(seen.id, []).append(seen.path)
        moved = {
            each.id: each.model_copy(update={"path": places[each.id][0], "source": self.source.name})
            for each in self.documents.values()
            if each.id in places and (each.source != self.source.name or each.path not in places[each.id])
        }
        if moved:
            self.documents |= moved
            self.work.replace(DOCUMENTS, self.documents.values())
        return len(moved)

    def _set_aside(self) -> None:
        """A name that is no text cannot stand in a record: its content goes into quarantine, until it is renamed."""
        aside = self.work.read(Quarantined, QUARANTINE)
        renamed = [each for each in aside if each.detail == NAMELESS and each.document in self.documents]
        if renamed:
            self.work.replace(QUARANTINE, [each for each in aside if each not in renamed])
        known = {each.document for each in aside} | self.documents.keys()
        now = dt.datetime.now(dt.UTC)
        self.work.append(QUARANTINE, [
            Quarantined(
                document=content, path=printable(name), why=Why.UNREADABLE,
                detail=NAMELESS, tried=[], at=now,
            )
            for content, name in self.nameless.items() if content not in known
        ])  # fmt: skip
