"""Bytes and a name → a format or a reason; no bytes make it fail in another way."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.workloads.label.converting import documents
from workloads.label.converting.encodings import encoding
from workloads.label.converting.formats import Format, RefusedError, recognised
from workloads.label.records import Why

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
HEADS = [
    b"",
    b"%PDF-",
    b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"\x89PNG\r\n\x1a\n",
    b"<html>",
    b"\xff\xfe",
]
ONCE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def outcome(file: Path, name: str) -> Format | Why:
    """What it is, or why it is refused; anything else is a failure of ours."""
    try:
        return recognised(file, name, MIB)
    except RefusedError as error:
        return error.why if error.detail else pytest.fail("refused without a word")


@ONCE
@given(head=st.sampled_from(HEADS), rest=st.binary(max_size=400), ending=st.sampled_from(["pdf", "docx", "csv", ""]))
def test_any_bytes_under_any_name_are_recognised_or_refused(
    tmp_path: Path, head: bytes, rest: bytes, ending: str
) -> None:
    """A format or a RefusedError with its reason, never another exception."""
    file = tmp_path / "file"
    file.write_bytes(head + rest)
    assert outcome(file, f"name.{ending}") in {*Format, *Why}


@ONCE
@given(data=st.data())
def test_a_damaged_office_document_is_recognised_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Cut anywhere, with any byte changed, it raises nothing but RefusedError."""
    whole = bytearray(documents.docx("words"))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path / "file"
    file.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    assert outcome(file, "a.docx") in {*Format, *Why}


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("a.txt", b"%PDF-1.7 words", Format.PDF),
        ("a.pdf", documents.docx("words"), Format.DOCX),
        ("a.pdf", b"just words", Format.TEXT),
        ("a.txt", b"<p> is a tag", Format.TEXT),
        ("a.txt", b"name,number\n1,2\n", Format.TEXT),
        ("a.csv", b"name,number\n1,2\n", Format.CSV),
        ("a", b"<!DOCTYPE html><p>words</p>", Format.HTML),
        ("a.html", b"no tags at all", Format.TEXT),
        ("a.html", "<html>".encode("utf-16"), Format.HTML),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', Format.XML),
        ("a.pdf", b"\x89PNG\r\n\x1a\n", Format.PICTURE),
    ],
)
def test_bytes_decide_and_names_only_part_texts(tmp_path: Path, name: str, data: bytes, wanted: Format) -> None:
    """A wrong extension changes nothing."""
    file = tmp_path / "file"
    file.write_bytes(data)
    assert recognised(file, name, MIB) == wanted


def test_overlapping_members_count_as_often_as_they_are_named(tmp_path: Path) -> None:
    """A bomb that names one member thousands of times is known by the sum of what it says."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        archive.writestr("word/document.xml", b"\0" * MIB)
        archive.filelist += [archive.filelist[-1]] * 50
    file = tmp_path / "file"
    file.write_bytes(out.getvalue())
    with pytest.raises(RefusedError) as refused:
        recognised(file, "a.docx", 10 * MIB)
    assert refused.value.why == Why.HOSTILE


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_text_in_any_usual_encoding_is_read_as_it_was_written(tmp_path: Path, codec: str) -> None:
    """Marks, zeros and bytes beyond ASCII are enough to tell."""
    text = "Der Mieter Müller zahlt 500 Euro an das Café, fällig am fünften Tag, für die Größe der Räume. " * 4
    file = tmp_path / "file"
    file.write_bytes(text.encode(codec))
    assert file.read_text(encoding=encoding(file), errors="replace").lstrip("\ufeff") == text
