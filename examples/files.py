"""Paragraphs → the bytes of a file: PDF, Word, HTML, Markdown, CSV, plain text, and files that are broken. Pure.

The same paragraphs are always the same bytes. Each format is written by hand, as small as its readers allow.
"""

from __future__ import annotations

import csv
import html
import io
import textwrap
import zipfile
from xml.sax.saxutils import escape

LINE, LINES_A_PAGE = 88, 44
EPOCH = (1980, 1, 1, 0, 0, 0)  # of ZIP: a file's time is no part of what it says


def pdf(title: str, paragraphs: list[str]) -> bytes:
    """PDF 1.4 with a text layer: Helvetica, A4, 44 lines a page (ISO 32000-1, 7.5 and 9.4)."""
    lines = [title, ""]
    for paragraph in paragraphs:
        lines += [*textwrap.wrap(paragraph, LINE), ""]
    pages = [lines[at : at + LINES_A_PAGE] for at in range(0, len(lines), LINES_A_PAGE)]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        shown = b"".join(b"(" + _string(line) + b") Tj T*\n" for line in page)
        content = b"BT /F1 11 Tf 15 TL 60 780 Td\n" + shown + b"ET"
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            + f"/Contents {5 + 2 * number} 0 R >>".encode(),
            f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream",
        ]
    return _laid_out(objects)


def _string(line: str) -> bytes:
    """What WinAnsi has not is shown as "?"."""
    raw = line.encode("cp1252", "replace")
    return raw.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")


def _laid_out(objects: list[bytes]) -> bytes:
    """With the table that says where each object begins."""
    out, offsets = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + each + b"\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    tail = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return out + tail.encode() + f"startxref\n{len(out)}\n%%EOF\n".encode()


def docx(title: str, paragraphs: list[str]) -> bytes:
    """Word, with no style but its own (ECMA-376, Part 1, 11.3.10)."""
    types = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    body = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>' for text in [title, *paragraphs]
    )
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{types}"/></Types>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{relation}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        f"<w:body>{body}</w:body></w:document>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            declared = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{text}'
            archive.writestr(zipfile.ZipInfo(name, EPOCH), declared)
    return out.getvalue()


def page(title: str, paragraphs: list[str]) -> bytes:
    """HTML, with a script that must never run."""
    body = "\n".join(f"<p>{html.escape(text)}</p>" for text in paragraphs)
    script = "<script>document.title = 'a script of a document ran'</script>"
    head = f'<head><meta charset="utf-8"><title>{title}</title></head>'
    return f"<!doctype html>\n<html>{head}\n<body>{script}\n<h1>{title}</h1>\n{body}\n</body></html>\n".encode()


def markdown(title: str, paragraphs: list[str]) -> bytes:
    """Markdown; the words of our sentences need no escapes."""
    return "\n\n".join([f"# {title}", *paragraphs, ""]).encode()


def plain(title: str, paragraphs: list[str]) -> bytes:
    """Plain text as an old machine has it: CRLF."""
    return "\r\n\r\n".join([title, *paragraphs, ""]).encode()


def table(title: str, paragraphs: list[str]) -> bytes:
    """CSV, with a cell that a spreadsheet would run."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerows([["clause", "text"], ["0", f"=HYPERLINK(0) {title}"], *enumerate(paragraphs, 1)])
    return out.getvalue().encode()


def truncated(title: str, paragraphs: list[str]) -> bytes:
    """A PDF of which the second half never came."""
    whole = pdf(title, paragraphs)
    return whole[: len(whole) // 3]


def garbled(title: str, paragraphs: list[str]) -> bytes:
    """A Word file with holes."""
    whole = bytearray(docx(title, paragraphs))
    whole[30::7] = bytes(len(whole[30::7]))
    return bytes(whole)


def empty(title: str, paragraphs: list[str]) -> bytes:  # noqa: ARG001
    """Zero bytes."""
    return b""
