"""A file's bytes and its name → what it is. The bytes decide; a name only tells one text format from another.

A ZIP is looked into by its list of contents alone: nothing is unpacked here.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from enum import StrEnum
from typing import TYPE_CHECKING

from workloads.label.records import Why

if TYPE_CHECKING:
    from pathlib import Path

HEAD_BYTES = 65536
MOST_MEMBERS = 20_000  # of a ZIP; a presentation of 1,000 slides has 5,000
WORST_RATIO, RATIO_FROM_BYTES = 200, 64 << 20  # text shrinks to a tenth; from this size on, 200 times is a bomb
PDF_WITHIN = 1024  # bytes that may come before %PDF-: ISO 32000-1, annex H
OLE, ENCRYPTED_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "EncryptedPackage".encode("utf-16-le")
UNICODE_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe\0\0", "utf-32"), (b"\0\0\xfe\xff", "utf-32"),
                 (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))  # fmt: skip
PICTURES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"II*\0", "tiff"), (b"MM\0*", "tiff"),
            (b"BM", "bmp"))  # fmt: skip
OFFICE = {"word/": "docx", "xl/": "xlsx", "ppt/": "pptx"}
OPEN_DOCUMENT = {"text": "odt", "spreadsheet": "ods", "presentation": "odp"}
HTML = re.compile(rb"<(!doctype\s+html|html|head|body|table|div|p|h1|script)[\s>/]", re.IGNORECASE)
XML = re.compile(rb"^\s*<(\?xml|!DOCTYPE|svg|[A-Za-z_][\w.-]*(:[\w.-]+)?[\s>/])")
TABLES = {"csv": ",", "tsv": "\t", "tab": "\t"}


class Format(StrEnum):
    """What a file is, which is how it can be read; not what its name ends in."""

    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"
    PPTX = "pptx"
    ODT = "odt"
    ODS = "ods"
    ODP = "odp"
    HTML = "html"
    XML = "xml"
    CSV = "csv"
    TEXT = "text"
    PICTURE = "picture"


class RefusedError(Exception):
    """A file that no backend of ours is given, and why."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(detail)
        self.why, self.detail = why, detail


def recognised(file: Path, name: str, most_unpacked: int) -> Format:
    """What `file`, called `name` in the archive, is; raises RefusedError for what nobody should open."""
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if not head:
        raise RefusedError(Why.EMPTY, "no bytes")
    if b"%PDF-" in head[:PDF_WITHIN]:
        return Format.PDF
    if head.startswith(b"PK\x03\x04"):
        return _zipped(file, most_unpacked)
    if head.startswith(OLE):
        if ENCRYPTED_OFFICE in _whole(file):
            raise RefusedError(Why.PASSWORD, "an Office document that is encrypted")
        raise RefusedError(Why.UNKNOWN, "an Office format from before 2007: save it as .docx, .xlsx or .pptx")
    if any(head.startswith(mark) for mark, _ in PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return Format.PICTURE
    if head.startswith(b"{\\rtf"):
        raise RefusedError(Why.UNKNOWN, "RTF: save it as .docx")
    if not textual(head):
        raise RefusedError(Why.UNKNOWN, f"neither text nor a format that is read here; begins with {head[:8].hex(' ')}")
    return _text(head, name)


def textual(head: bytes) -> bool:
    """Whether bytes are text in some encoding: a Unicode mark, or (almost) no control characters."""
    if marked(head) or wide(head):
        return True
    controls = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 or byte == 127 for byte in head)
    return b"\0" not in head and controls <= len(head) // 100


def marked(head: bytes) -> str | None:
    """The encoding that a Unicode byte order mark names."""
    return next((encoding for mark, encoding in UNICODE_MARKS if head.startswith(mark)), None)


def wide(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of mostly Latin text is zero."""
    pairs = len(head) // 2
    if pairs < 2:
        return None
    zeros = head[1::2].count(0) / pairs, head[0::2].count(0) / pairs
    if zeros[0] > 0.4 and zeros[1] < 0.05:
        return "utf-16-le"
    return "utf-16-be" if zeros[1] > 0.4 and zeros[0] < 0.05 else None


def _text(head: bytes, name: str) -> Format:
    ending = name.rpartition(".")[2].lower()
    plain = head if not (encoding := marked(head) or wide(head)) else head.decode(encoding, "ignore").encode()
    if ending in {"md", "txt"}:
        return Format.TEXT
    if ending in {"html", "htm", "xhtml"} or HTML.search(plain[:4096]):
        return Format.HTML if HTML.search(plain) else Format.TEXT
    if XML.match(plain):
        return Format.XML
    return Format.CSV if ending in TABLES else Format.TEXT


def _zipped(file: Path, most_unpacked: int) -> Format:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _no_bomb(members, file.stat().st_size, most_unpacked)
            if any(member.flag_bits & 1 for member in members):
                raise RefusedError(Why.PASSWORD, "a ZIP that is encrypted")
            kind = _kind(archive, {member.filename for member in members})
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise RefusedError(Why.UNREADABLE, f"a ZIP (an Office document?) that is damaged: {error}") from None
    if kind is None:
        raise RefusedError(Why.UNKNOWN, "a ZIP that is no Office document: unpack it into the archive")
    return kind


def _kind(archive: zipfile.ZipFile, names: set[str]) -> Format | None:
    if "[Content_Types].xml" in names:
        for folder, kind in OFFICE.items():
            if any(name.startswith(folder) for name in names):
                return Format(kind)
    if "mimetype" in names:
        with archive.open("mimetype") as opened:
            said = opened.read(100).decode("ascii", "replace")
        if "META-INF/manifest.xml" in names:
            with archive.open("META-INF/manifest.xml") as opened:
                if b"encryption-data" in opened.read(1 << 20):
                    raise RefusedError(Why.PASSWORD, "an OpenDocument file that is encrypted")
        for word, kind in OPEN_DOCUMENT.items():
            if said.startswith(f"application/vnd.oasis.opendocument.{word}"):
                return Format(kind)
    return None


def _no_bomb(members: list[zipfile.ZipInfo], size: int, most_unpacked: int) -> None:
    """What a ZIP says it unpacks to is what readers get: zipfile stops there, and a wrong checksum is an error."""
    unpacked = sum(member.file_size for member in members)
    if unpacked > most_unpacked:
        raise RefusedError(Why.HOSTILE, f"unpacks to {unpacked} bytes; more than {most_unpacked} are refused")
    if unpacked > RATIO_FROM_BYTES and unpacked > WORST_RATIO * size:
        raise RefusedError(Why.HOSTILE, f"unpacks to {unpacked // max(1, size)} times its size")
    if len(members) > MOST_MEMBERS:
        raise RefusedError(Why.HOSTILE, f"{len(members)} files in one document")
    for member in members:
        path = member.filename.replace("\\", "/")
        if path.startswith("/") or ".." in path.split("/") or path[1:2] == ":":
            raise RefusedError(Why.HOSTILE, f"holds a name that leads out of its folder: {member.filename}")


def _whole(file: Path, most: int = 64 << 20) -> bytes:
    with file.open("rb") as opened:
        return opened.read(most)
