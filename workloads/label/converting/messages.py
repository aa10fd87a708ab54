"""What goes between us and a worker: lines of JSON, never pickles, for a worker may be in a document's hands."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from workloads.label.converting.formats import Format
from workloads.label.records import Count, Record, Why


class Reader(StrEnum):
    """The ways to read a document; `Converted.backend` and `Quarantined.tried` name them."""

    TRIAGE = "triage"  # what it is, and which pages have text
    COUNT = "count"  # how many pages, when looking at them killed the worker
    TEXT = "text"  # as it lies in the file
    TABLE = "table"  # CSV by pyarrow, streamed
    MARKUP = "docling"  # office formats and HTML, no models
    STRIPPED = "stripped"  # the same by the standard library: words without structure
    LAYOUT = "docling-layout"  # PDF: headings, lists and reading order by model
    PLAIN = "text-layer"  # PDF: text as it lies in the file, by PDFium
    VISION = "granite-docling"  # pictures of pages, by a vision model in the worker
    RENDER = "render"  # pictures of pages, for the endpoint
    ENDPOINT = "granite-docling-endpoint"  # the same model behind an OpenAI-compatible server
    DOCTAGS = "doctags"  # what the endpoint said → parts


class Part(Record):
    """A paragraph, a heading, or a table with its cells; `page` from 1 on, 0 where the format has none."""

    kind: str
    text: str
    page: Count = 0
    cells: list[list[str]] | None = None


class Seen(Record):
    """What triage saw. `characters` of the text layer, a page each; None: a picture, which must be read.

    `letters` of a format without pages: those that the standard library finds. `blind`: the pages were only counted.
    """

    format: Format
    characters: list[int | None] = Field(default_factory=list)
    letters: Count = 0
    blind: bool = False


class Task(Record):
    """One slice for one reader. Paths are names within the worker's folder; pages count from 1, both included."""

    reader: Reader
    file: str
    name: str
    first: Count = 0
    last: Count = 0
    most_unpacked: Count = 0


class Answer(Record):
    """What a worker made of a task. `why` is None when it worked; `failed` are single pages that did not."""

    parts: list[Part] = Field(default_factory=list)
    seen: Seen | None = None
    files: list[str] = Field(default_factory=list)  # left in the worker's folder
    failed: list[int] = Field(default_factory=list)
    notes: Annotated[list[str], Field(max_length=100)] = Field(default_factory=list)
    why: Why | None = None
    detail: str = ""
    no_room: bool = False  # the disk is full: nobody's document is to blame
