"""Words → files of many formats, made by hand so that every byte is ours; and files that mean harm, or are broken."""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
RELATIONS_TYPE = "application/vnd.openxmlformats-package.relationships+xml"
WORD_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
ESCAPED = str.maketrans({mark: f"\\{mark}" for mark in "\\()"})
PICTURE_ONLY = b"0.5 g 10 10 400 400 re f"  # drawing operators of a page without text


PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
STREAM = re.compile(rb"(?<=stream\n).*(?=\nendstream)", flags=re.DOTALL)


class Pdf:
    """A PDF, object by object."""

    def __init__(self) -> None:
        self.objects: list[bytes] = [b"", b""]  # catalogue and page tree, filled in at the end
        self.font = self.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        self.pages: list[int] = []

    def add(self, body: bytes) -> int:
        """One more object; its number."""
        self.objects.append(body)
        return len(self.objects)

    def stream(self, data: bytes, extra: bytes = b"") -> int:
        """One with a compressed stream."""
        packed = zlib.compress(data, 9)
        head = b"<< /Length %d /Filter /FlateDecode %s >>\nstream\n" % (len(packed), extra)
        return self.add(head + packed + b"\nendstream")

    def page(self, operators: bytes, resources: bytes = b"") -> None:
        """A page of A4 that draws so."""
        drawn = self.stream(operators)
        self.pages.append(self.add(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 %d 0 R >> %s >> "
            b"/Contents %d 0 R >>" % (self.font, resources, drawn)
        ))  # fmt: skip

    def data(self) -> bytes:
        """The whole file."""
        kids = b" ".join(b"%d 0 R" % number for number in self.pages)
        self.objects[0] = b"<< /Type /Catalog /Pages 2 0 R >>"
        self.objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(self.pages), kids)
        return self._file(self.objects)

    def locked(self, user: bytes, owner: bytes = b"owner") -> bytes:
        """The whole file, encrypted by RC4 as PDF 1.7 §7.6 has it (revision 2); `user` b"" opens without a question."""
        self.data()
        allowed, name = struct.pack("<i", -4), hashlib.md5(b"name").digest()  # noqa: S324
        owned = rc4(hashlib.md5(padded(owner)).digest()[:5], padded(user))  # noqa: S324
        key = hashlib.md5(padded(user) + owned + allowed + name).digest()[:5]  # noqa: S324

        def sealed(number: int, body: bytes) -> bytes:
            own = hashlib.md5(key + struct.pack("<I", number)[:3] + b"\0\0").digest()[:10]  # noqa: S324
            return STREAM.sub(lambda found: rc4(own, found[0]), body)

        objects = [sealed(number, body) for number, body in enumerate(self.objects, 1)]
        handler = b"<< /Filter /Standard /V 1 /R 2 /O <%s> /U <%s> /P -4 >>"
        objects.append(handler % (owned.hex().encode(), rc4(key, PADDING).hex().encode()))
        named = name.hex().encode()
        return self._file(objects, b"/Encrypt %d 0 R /ID [<%s> <%s>]" % (len(objects), named, named))

    @staticmethod
    def _file(objects: list[bytes], trailer: bytes = b"") -> bytes:
        out, places = io.BytesIO(), []
        out.write(b"%PDF-1.7\n")
        for number, body in enumerate(objects, 1):
            places.append(out.tell())
            out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
        start = out.tell()
        out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1))
        out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
        out.write(b"trailer\n<< /Size %d /Root 1 0 R %s >>\n" % (len(places) + 1, trailer))
        out.write(b"startxref\n%d\n%%%%EOF\n" % start)
        return out.getvalue()


def padded(password: bytes) -> bytes:
    """A password as the encryption of PDF takes it: 32 bytes."""
    return (password + PADDING)[:32]


def rc4(key: bytes, data: bytes) -> bytes:
    """The old stream cipher; kept out of libraries for good reasons, and in PDFs for ever."""
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def written(lines: Iterable[str]) -> bytes:
    """The operators that write lines on a page."""
    words = (line.translate(ESCAPED).encode("cp1252") for line in lines)
    return b"BT /F1 11 Tf 60 780 Td 14 TL " + b" ".join(b"(%s) '" % line for line in words) + b" ET"


def pdf(*pages: Sequence[str] | bytes) -> bytes:
    """A PDF with these pages: lines of text, or drawing operators."""
    made = Pdf()
    for page in pages:
        made.page(page if isinstance(page, bytes) else written(page))
    return made.data()


def locked_pdf(password: bytes, *pages: Sequence[str]) -> bytes:
    """The same, encrypted: b"" opens it for everybody, and only printing and copying are asked not to be done."""
    made = Pdf()
    for page in pages:
        made.page(written(page))
    return made.locked(password)


def endless_pdf(levels: int = 12, fan: int = 10) -> bytes:
    """Two pages of words, between them one that draws ten forms that draw ten forms each…: 10¹² of them."""
    made = Pdf()
    made.page(written(["The first page is fine and has words."]))
    form = made.stream(b"BT /F1 1 Tf (x) Tj ET", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]")
    for _ in range(levels):
        resources = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >>" % form
        form = made.stream(b"/X Do " * fan, resources)
    made.page(b"/X Do", b"/XObject << /X %d 0 R >>" % form)
    made.page(written(["The third page is fine and has words."]))
    return made.data()


def greedy_pdf(megabytes: int = 600) -> bytes:
    """A page whose content unpacks to so many megabytes of text operators."""
    made = Pdf()
    made.page(b"BT /F1 1 Tf " + b"(aaaaaaaaaaaaaaaa) Tj " * (megabytes << 20 >> 5) + b" ET")
    return made.data()


def docx(*paragraphs: str, table: Sequence[Sequence[str]] = (), extra: Iterable[tuple[str, bytes]] = ()) -> bytes:
    """A Word document; `extra` are more members of its ZIP."""
    body = "".join(map(_paragraph, paragraphs))
    if table:
        grid = "<w:tblGrid>" + "<w:gridCol/>" * len(table[0]) + "</w:tblGrid>"
        rows = ("<w:tr>" + "".join(f"<w:tc>{_paragraph(cell)}</w:tc>" for cell in row) + "</w:tr>" for row in table)
        body += f"<w:tbl><w:tblPr/>{grid}{''.join(rows)}</w:tbl>"
    types = f'<Default Extension="rels" ContentType="{RELATIONS_TYPE}"/>'
    types += f'<Override PartName="/word/document.xml" ContentType="{WORD_TYPE}"/>'
    main = f'<Relationship Id="r" Type="{OFFICE}" Target="word/document.xml"/>'
    types = f'<Default Extension="rels" ContentType="{RELATIONS_TYPE}"/>'
    types += f'<Override PartName="/word/document.xml" ContentType="{WORD_TYPE}"/>'
    main = f'<Relationship Id="r" Type="{OFFICE}" Target="word/document.xml"/>'
    members = [
        ("[Content_Types].xml", f'<Types xmlns="{TYPES}">{types}</Types>'),
        ("_rels/.rels", f'<Relationships xmlns="{RELATIONS}">{main}</Relationships>'),
        ("word/document.xml", f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'),
    ]
    return packed([*((name, text.encode()) for name, text in members), *extra])


def packed(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A ZIP."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def _paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"
