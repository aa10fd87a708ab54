"""The text of a document → items: slices that one person reads at a time. Pure.

What people see is cleaned once, here, one code point for one: an offset within an item, added to the item's start, is
an offset within the converted text. Nothing is composed or folded, which would shift what follows.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

from workloads.label.records import Item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workloads.label.records import Arm

LINE_ENDS = re.compile("[\r\x0b\x0c\x85]")
# Other control characters, which no browser shows; and halves of characters, which no UTF-8 can hold.
UNSHOWN, HALVES = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]"), re.compile("[\ud800-\udfff]")
# Where a text may be cut, the best place first: behind a paragraph, a line, a sentence, a word.
BORDERS = [re.compile(pattern) for pattern in (r"\n\s*\n", r"\n", r"[.!?…]\s|[。！？]", r"\s")]  # noqa: RUF001
LEAST = 4  # a cut before a quarter of the room is worse than one at a lesser border
JOINER = "\u200d"
CLUSTER = 64  # code points; no character that people read is longer


def shown(text: str) -> str:
    """The text as people see it: of the same length, with no control character but newline and tab."""
    text = LINE_ENDS.sub("\n", text.replace("\r\n", " \n"))
    return HALVES.sub("\ufffd", UNSHOWN.sub(" ", text))


def items(document: str, text: str, arm: Arm, most: int) -> list[Item]:
    """The slices of a document, each of at most `most` characters; every character but blanks is in exactly one."""
    text = shown(text)
    found = []
    for part, (start, end) in enumerate(cuts(text, most)):
        name = hashlib.sha256(f"{document}\0{part}\0{text[start:end]}".encode()).hexdigest()[:16]
        found.append(Item(id=name, document=document, part=part, start=start, text=text[start:end], arm=arm))
    return found


def cuts(text: str, most: int) -> Iterator[tuple[int, int]]:
    """Start and end of each slice, without the blanks around it."""
    at = 0
    while at < len(text):
        end = len(text) if len(text) - at <= most else _border(text, at, at + most)
        inner = text[at:end].strip()
        if inner:
            start = at + text[at:end].index(inner)
            yield start, start + len(inner)
        at = end


def _border(text: str, start: int, most: int) -> int:
    """Where a slice ends that begins at `start` and must end at `most` or before, with text left behind it."""
    for border in BORDERS:
        ends = [found.end() for found in border.finditer(text, start, most) if _parts(text, found.end())]
        if ends and (ends[-1] - start) * LEAST >= most - start:
            return ends[-1]
    return next((end for end in range(most, max(most - CLUSTER, start), -1) if _parts(text, end)), most)


def _parts(text: str, at: int) -> bool:
    """Whether characters that people read end here: no mark of the last one follows."""
    return not joins(text[at]) and text[at - 1] != JOINER


def joins(character: str) -> bool:
    """Whether a code point belongs to the character before it: an accent, a vowel sign, a variant, a joiner."""
    return character == JOINER or unicodedata.category(character)[0] == "M"
