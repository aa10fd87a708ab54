"""What triage saw → slices and the readers to try, in order; how one ended → what is done next. Pure.

A slice is tried with one reader after the other; when all have failed and it has several pages, its halves are, until
the page that does it stands alone. Every page ends in exactly one slice: read, or failed with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workloads.label.converting.formats import Format
from workloads.label.converting.messages import Reader
from workloads.label.records import Why

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.label.converting.messages import Seen
    from workloads.label.params import Convert

MOST_FAILURES = 16  # of a document's tries; whoever has failed so often is not cut further
WORTH_HALVING = {Why.TIMEOUT, Why.MEMORY, Why.CRASHED, Why.UNREADABLE}  # one page may be the reason
FINAL = {Why.PASSWORD, Why.HOSTILE}  # no other reader is given the document
READERS = {
    Format.TEXT: (Reader.TEXT,), Format.XML: (Reader.STRIPPED, Reader.TEXT), Format.CSV: (Reader.TABLE, Reader.TEXT),
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Slice:
    """Pages `first` to `last` (0, 0: a format without pages), and the readers that are left to try."""

    first: int
    last: int
    readers: tuple[Reader, ...] = ()
    letters: int = 0  # of the text layer on them

    def __str__(self) -> str:
        """For people."""
        if not self.last:
            return "the document"
        return f"page {self.first}" if self.first == self.last else f"pages {self.first} to {self.last}"


@dataclass(frozen=True)
class Failure:
    """A slice that nobody could read, and why the last one could not."""

    slice: Slice
    why: Why
    detail: str


@dataclass
class Progress:
    """How far a document is. `waiting` are to be tried; `done` are read."""

    waiting: list[Slice] = field(default_factory=list)
    done: list[Slice] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    tried: list[Reader] = field(default_factory=list)
    failures: int = 0
    running: int = 0

    def begin(self) -> Slice:
        """Take the next slice."""
        self.running += 1
        return self.waiting.pop(0)

    def read(self, piece: Slice, lost: list[int], why: Why, detail: str) -> None:
        """Its first reader has read it, but for the pages that are `lost`: those go to the next one alone."""
        self._tried(piece)
        self.running -= 1
        self.done.append(piece)
        pages = [replace(piece, first=page, last=page, readers=piece.readers[1:], letters=0) for page in sorted(lost)]
        if len(piece.readers) > 1:
            self.waiting[:0] = pages
        else:
            self.failed += [Failure(page, why, detail) for page in pages]

    def again(self, piece: Slice) -> None:
        """Its worker was killed by somebody else: nothing is known of it."""
        self.running -= 1
        self.waiting.insert(0, piece)

    def fail(self, piece: Slice, why: Why, detail: str) -> None:
        """Its first reader could not: the next one, the halves, or the end."""
        self._tried(piece)
        self.running -= 1
        self.failures += 1
        if len(piece.readers) > 1 and why not in FINAL:
            self.waiting.insert(0, replace(piece, readers=piece.readers[1:]))
        elif piece.last > piece.first and why in WORTH_HALVING and self.failures < MOST_FAILURES:
            middle = (piece.first + piece.last) // 2
            self.waiting[:0] = [replace(piece, last=middle, letters=0), replace(piece, first=middle + 1, letters=0)]
        else:
            self.failed.append(Failure(piece, why, detail))

    @property
    def pages(self) -> int:
        """How much is left to do; a document without pages counts as one."""
        return sum(piece.last - piece.first + 1 for piece in self.waiting)

    @property
    def ended(self) -> bool:
        """Whether nothing is left to try."""
        return not self.waiting and not self.running

    def _tried(self, piece: Slice) -> None:
        if piece.readers[0] not in self.tried:
            self.tried.append(piece.readers[0])


def slices(seen: Seen, convert: Convert) -> list[Slice]:
    """A document's slices, in its order; without a reader where `scanned` says that pictures are left alone."""
    if seen.format not in {Format.PDF, Format.PICTURE}:
        return [Slice(0, 0, READERS.get(seen.format, (Reader.MARKUP, Reader.STRIPPED)), seen.letters)]
    looking = {"vision": (Reader.VISION,), "endpoint": (Reader.ENDPOINT,), "skip": ()}[convert.scanned]
    layer = (*((Reader.LAYOUT,) if convert.layout else ()), Reader.PLAIN)
    return [
        Slice(first, last, layer if letters is not None else looking, letters or 0)
        for first, last, letters in _runs(seen.characters, convert.slice_pages)
    ]


def start(planned: list[Slice], covered: set[int]) -> Progress:
    """Where a document stands when an earlier run has read the pages in `covered` (0: all of one without pages)."""
    progress = Progress()
    for piece in planned:
        for part in _uncovered(piece, covered):
            if part.readers:
                progress.waiting.append(part)
            else:
                progress.failed.append(Failure(part, Why.EMPTY, 'a picture of text, and convert.scanned is "skip"'))
    return progress


def _uncovered(piece: Slice, covered: set[int]) -> Iterator[Slice]:
    pages = [page for page in range(piece.first, piece.last + 1) if page not in covered]
    if len(pages) == piece.last - piece.first + 1:
        yield piece
        return
    for place, page in enumerate(pages):
        if place == 0 or pages[place - 1] != page - 1:
            first = page
        if place + 1 == len(pages) or pages[place + 1] != page + 1:
            yield replace(piece, first=first, last=page, letters=0)


def _runs(characters: list[int | None], most: int) -> Iterator[tuple[int, int, int | None]]:
    """Neighbouring pages of one kind, at most so many, blank ones among them; `letters` None: only pictures."""
    first, letters = 1, 0
    for page, count in enumerate(characters, 1):
        scanned = count is None
        letters += count or 0
        following = characters[page] if page < len(characters) else None
        if page == len(characters) or (following is None) != scanned or page - first + 1 == most:
            yield first, page, None if scanned else letters
            first, letters = page + 1, 0
