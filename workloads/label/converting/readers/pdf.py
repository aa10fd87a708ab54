"""A PDF by PDFium → which pages have text (triage), that text as it lies in the file, or pictures of pages."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pypdfium2 as pdfium
from pypdfium2 import raw

from workloads.label.converting import checks
from workloads.label.converting.formats import Format, RefusedError, recognised
from workloads.label.converting.messages import Answer, Part, Seen
from workloads.label.converting.readers import pictures, stripped
from workloads.label.converting.readers.text import paragraphs
from workloads.label.records import Why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workloads.label.converting.messages import Task
    from workloads.label.converting.readers import Place

MOST_PAGES = 50_000
LEAST_CHARACTERS = 8  # fewer on a page with a picture are a stamp or a page number: it is a scan
DOTS_PER_POINT = 2.0  # 144 dpi: what Docling gives to Granite-Docling
MOST_DOTS = 40_000_000  # of a page's picture; a page of 20 m is drawn smaller
PASSWORD_ERRORS = {raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY}


def triage(task: Task, place: Place) -> Answer:
    """What the file is; of a PDF the characters of each page's text layer, None where only a picture is."""
    file = place.folder / task.file
    kind = recognised(file, task.name, task.most_unpacked)
    if kind == Format.PICTURE:
        return Answer(seen=Seen(format=kind, characters=[None] * pictures.frames(file)))
    if kind != Format.PDF:
        return Answer(seen=Seen(format=kind, letters=stripped.letters(file, kind)))
    with _opened(file) as document:
        if len(document) > MOST_PAGES:
            raise RefusedError(Why.HOSTILE, f"says that it has {len(document)} pages")
        return Answer(seen=Seen(format=kind, characters=[_characters(document, n) for n in range(len(document))]))


def count(task: Task, place: Place) -> Answer:
    """How many pages there are, without a look at any: one of them has killed a worker."""
    file = place.folder / task.file
    if (kind := recognised(file, task.name, task.most_unpacked)) != Format.PDF:
        return Answer(seen=Seen(format=kind, characters=[None] if kind == Format.PICTURE else [], blind=True))
    with _opened(file) as document:
        return Answer(seen=Seen(format=kind, characters=[1] * min(len(document), MOST_PAGES), blind=True))


def plain(task: Task, place: Place) -> Answer:
    """The text layer of some pages, in the file's own order."""
    found: list[Part] = []
    with _opened(place.folder / task.file) as document:
        for number in range(task.first, task.last + 1):
            found += [Part(kind="text", text=each, page=number) for each in paragraphs(_text(document, number - 1))]
    return Answer(parts=found)


def render(task: Task, place: Place) -> Answer:
    """PNG files of some pages."""
    names = []
    if task.name == Format.PICTURE:
        return Answer(files=pictures.split(place.folder / task.file, task.first, task.last))
    with _opened(place.folder / task.file) as document:
        for number in range(task.first, task.last + 1):
            page = document[number - 1]
            width, height = page.get_size()
            scale = min(DOTS_PER_POINT, (MOST_DOTS / max(1.0, width * height)) ** 0.5)
            names.append(f"page-{number}.png")
            page.render(scale=scale).to_pil().save(place.folder / names[-1])
            page.close()
    return Answer(files=names)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[pdfium.PdfDocument]:
    try:
        document = pdfium.PdfDocument(file)
    except pdfium.PdfiumError as error:
        code = getattr(error, "err_code", None)
        why = Why.PASSWORD if code in PASSWORD_ERRORS or "assword" in str(error) else Why.UNREADABLE
        raise RefusedError(why, f"PDFium: {error}") from None
    try:
        if not len(document):
            raise RefusedError(Why.UNREADABLE, "a PDF without pages")
        yield document
    finally:
        document.close()


def _text(document: pdfium.PdfDocument, index: int) -> str:
    page = document[index]
    layer = page.get_textpage()
    text = str(layer.get_text_bounded())
    layer.close()
    page.close()
    return text


def _characters(document: pdfium.PdfDocument, index: int) -> int | None:
    """Of a page's text layer; None where something is drawn on it, but nothing that can be read as text."""
    try:
        text = _text(document, index)
    except pdfium.PdfiumError:
        return None  # another reader may do better; if none does, the page is told as failed
    solid = len("".join(text.split()))
    if solid >= LEAST_CHARACTERS and not checks.garbled(text):
        return solid
    page = document[index]
    drawn = any(each.type != raw.FPDF_PAGEOBJ_TEXT for each in page.get_objects(max_depth=2))
    page.close()
    return None if drawn or (solid and checks.garbled(text)) else solid
