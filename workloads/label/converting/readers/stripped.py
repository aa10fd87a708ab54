"""Office formats, HTML and XML → their words by the standard library alone, for what Docling could not read.

Iterative, so that no depth of nesting matters; entities and document types are refused, nothing is fetched. What a
cell or a list item is gets lost: each becomes a paragraph.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from html.parser import HTMLParser
from typing import IO, TYPE_CHECKING

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from workloads.label.converting.encodings import encoding
from workloads.label.converting.formats import Format, RefusedError
from workloads.label.converting.messages import Answer, Part
from workloads.label.records import Why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.label.converting.messages import Task
    from workloads.label.converting.readers import Place

MEMBERS = {
    Format.DOCX: re.compile(r"word/(document|footnotes|endnotes|header\d*|footer\d*)\.xml"),
    Format.PPTX: re.compile(r"ppt/(slides|notesSlides)/\w+\.xml"),
    Format.XLSX: re.compile(r"xl/(sharedStrings|worksheets/\w+)\.xml"),
    Format.ODT: re.compile(r"content\.xml"),
    Format.ODS: re.compile(r"content\.xml"),
    Format.ODP: re.compile(r"content\.xml"),
}
ENDS = {"p", "h", "si", "is", "tr", "row", "title", "desc", "text", "tspan"}  # local names that end a paragraph
SILENT = {"instrText", "delText", "script", "style", "f", "v"}  # field codes, what was deleted, formulas, numbers
HTML_ENDS = {"p", "div", "li", "tr", "td", "th", "br", "title", "table", "section", "article", "pre", "blockquote",
             "h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd", "caption", "option", "body"}  # fmt: skip
HTML_SILENT = {"script", "style", "template", "noscript"}
SPACE = re.compile(r"\s+")


def read(task: Task, place: Place) -> Answer:
    """`task.name` is the format that triage saw."""
    file, kind = place.folder / task.file, Format(task.name)
    if kind == Format.HTML:
        return _answer(html(_text(file)))
    if kind == Format.XML:
        with file.open("rb") as opened:
            return _answer(xml(opened, every=True))
    return _answer(_members(file, MEMBERS[kind]))


def letters(file: Path, kind: Format) -> int:
    """Roughly how much there is to read; 0 when that cannot be said: it is a measure for other readers, no verdict."""
    if kind not in MEMBERS and kind != Format.HTML:
        return 0
    try:
        found = html(_text(file)) if kind == Format.HTML else _members(file, MEMBERS[kind])
        return sum(len("".join(each.split())) for each in found)
    except (RefusedError, ValueError, OSError, zipfile.BadZipFile, zlib.error):
        return 0


def html(text: str) -> Iterator[str]:
    """The words of a page, a paragraph each."""
    page = _Page()
    page.feed(text)
    page.close()
    yield from page.paragraphs()


def xml(opened: IO[bytes], *, every: bool = False) -> Iterator[str]:
    """The words of an XML file, a paragraph each; with `every`, each element's text is one."""
    words: list[str] = []
    try:
        for event, element in iterparse(opened, ("start", "end"), forbid_dtd=False):
            if event == "start":
                continue
            local = str(element.tag).rpartition("}")[2]
            if local not in SILENT:
                words += filter(None, [element.text])
            if every or local in ENDS:
                yield "".join(words)
                words = []
            words += filter(None, [element.tail]) if local not in ENDS else []
            element.clear()
    except DefusedXmlException as error:
        raise RefusedError(Why.HOSTILE, f"XML with entities or references of its own: {error}") from None
    except ParseError as error:
        raise RefusedError(Why.UNREADABLE, f"XML that is damaged: {error}") from None
    yield "".join(words)


def _text(file: Path) -> str:
    return file.read_text(encoding=encoding(file), errors="replace")


def _members(file: Path, wanted: re.Pattern[str]) -> Iterator[str]:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if wanted.fullmatch(posixpath.normpath(name))]
        for name in sorted(names, key=lambda name: ("document" not in name, len(name), name)):
            with archive.open(name) as opened:
                yield from xml(opened)


def _answer(found: Iterator[str]) -> Answer:
    plain = (SPACE.sub(" ", each).strip() for each in found)
    return Answer(parts=[Part(kind="text", text=each) for each in plain if each])


class _Page(HTMLParser):
    """Collects words between the tags that end a paragraph."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._words: list[str] = []
        self._ended: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """A block begins a paragraph."""
        self._silent += tag in HTML_SILENT
        self._end(tag)

    def handle_endtag(self, tag: str) -> None:
        """A block ends one."""
        self._silent = max(0, self._silent - (tag in HTML_SILENT))
        self._end(tag)

    def handle_data(self, data: str) -> None:
        """Words, unless they are a script's."""
        if not self._silent:
            self._words.append(data)

    def _end(self, tag: str) -> None:
        if tag in HTML_ENDS:
            self._ended.append("".join(self._words))
            self._words = []

    def paragraphs(self) -> list[str]:
        """All of them."""
        return [*self._ended, "".join(self._words)]
