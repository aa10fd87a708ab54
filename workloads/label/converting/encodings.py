"""Bytes of a text file → the encoding to read them with. What decodes as UTF-8 is UTF-8; the rest is guessed.

A guess never fails: what a byte cannot be in the guessed encoding becomes U+FFFD, and the checks count those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from charset_normalizer import from_bytes

from workloads.label.converting.formats import marked, wide

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE_BYTES = 256 << 10
FALLBACK = "cp1252"  # what offices of Western Europe wrote before UTF-8


def encoding(file: Path) -> str:
    """The codec of a file: its mark, UTF-8 if the whole file is, or the likeliest."""
    with file.open("rb") as opened:
        sample = opened.read(SAMPLE_BYTES)
    if told := marked(sample) or wide(sample):
        return told
    if utf8(file):
        return "utf-8"
    guess = from_bytes(sample).best()
    return guess.encoding if guess else FALLBACK


def utf8(file: Path) -> bool:
    """Whether every byte of a file is part of valid UTF-8."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            while opened.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True
