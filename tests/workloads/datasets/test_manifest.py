"""A manifest is read back as it was written, and nothing in one leads out of the folder it is mirrored into."""

from __future__ import annotations

import json
import posixpath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.datasets import manifest as manifests
from workloads.datasets.manifest import Entry, Manifest
from workloads.errors import DamagedError

words = st.text("abcé .-", min_size=1, max_size=4).filter(lambda word: word not in {".", ".."})
paths = st.lists(words, min_size=1, max_size=3).map("/".join)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def entries(draw: st.DrawFn, part_bytes: int) -> Entry:
    """A file of up to four parts."""
    size = draw(st.integers(0, 4 * part_bytes))
    number = manifests.parts(size, part_bytes)
    held = tuple(draw(st.lists(digests, min_size=number, max_size=number)))
    return Entry(size, draw(st.integers(0, 2**62)), held, draw(paths))


def apart(files: dict[str, Entry]) -> bool:
    """Whether no file stands where a folder must be."""
    return not any(other.startswith(f"{path}/") for path in files for other in files)


@given(st.dictionaries(paths, entries(7), max_size=5).filter(apart))
def test_a_manifest_is_read_as_it_was_written(files: dict[str, Entry]) -> None:
    """And is the same text again."""
    manifest = Manifest("v1", "2026-11-21T00:00:00Z", files, 7)

    assert manifests.parse(manifest.text(), "here") == manifest
    assert manifests.parse(manifest.text(), "here").text() == manifest.text()


def one(path: str = "a", **changed: Any) -> bytes:
    """A manifest of one file, with something changed."""
    entry = {"size": 1, "mtime_ns": 1, "sha256": ["0" * 64], "key": "data/v1/a", **changed}
    return json.dumps({"format": 1, "version": "v1", "created": "", "part_bytes": 64, "files": {path: entry}}).encode()


@pytest.mark.parametrize(
    "text",
    [
        one("../a"), one("/etc/passwd"), one("a/../../b"), one("a//b"), one("a/."), one(""), one("a\x1b[2J"),
        one("a\x00"), one("a" * 1025), one("\ud800"), one(key="../../other/secret"), one(key=7), one(size=-1),
        one(size=True), one(size=65), one(mtime_ns="1"), one(sha256=[]), one(sha256=["0" * 63]), one(sha256="0" * 64),
        b"", b"[]", b"{", b'{"format": 2}', b'{"format": 1}', b"[" * 100_000, b"\xff\xfe",
        one().replace(b'"v1"', b'"../v1"', 1), one().replace(b'"part_bytes": 64', b'"part_bytes": 0'),
    ],
)  # fmt: skip
def test_what_could_lead_elsewhere_is_no_manifest(text: bytes) -> None:
    """It is told as damage, with the place, and never a traceback."""
    with pytest.raises(DamagedError, match="here is no manifest"):
        manifests.parse(text, "here")


def test_a_file_is_no_folder() -> None:
    """Both of one name cannot be mirrored."""
    entry = Entry(1, 1, ("0" * 64,), "k")
    with pytest.raises(DamagedError, match="a file and a folder"):
        manifests.parse(Manifest("v", "", {"a": entry, "a/b": entry}, 64).text(), "here")


@given(st.text(max_size=12))
def test_a_safe_path_stays_below_its_folder(path: str) -> None:
    """Whatever is let through, joined and normalised, lies in the folder under its own name."""
    try:
        safe = manifests.safe(path)
    except UnicodeEncodeError:
        return
    if safe:
        assert posixpath.normpath(f"/top/{path}") == f"/top/{path}"
