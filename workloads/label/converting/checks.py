"""A text → why nobody should label it, or nothing. Pure; "success" of a reader says nothing about its words."""

from __future__ import annotations

import unicodedata
from collections import Counter

from workloads.label.records import Why

MOST_GARBLED = 0.1  # of the characters: what a wrong encoding or a font without a map leaves
WORDS, MOST_REPEATED = 6, 0.5  # when so much of a text are groups of so many words that were there before, it loops
LEAST_WORDS_FOR_LOOP = 60
LEAST_KEPT = 0.6  # of the text layer's letters: a reader that gives fewer has lost some
CONTROLS = {code: " " for code in [*range(32), *range(127, 160)] if code not in {9, 10}}
PRIVATE, UNASSIGNED, CONTROL = "Co", "Cn", "Cc"


def empty(text: str) -> bool:
    """Whether there is no letter and no figure in it."""
    return not any(character.isalnum() for character in text)


def garbled(text: str) -> bool:
    """Whether much of it is no character that anybody wrote: U+FFFD, private, unassigned or control ones."""
    solid = [character for character in text if not character.isspace()]
    if not solid:
        return False
    bad = sum(each == "\ufffd" or unicodedata.category(each) in {PRIVATE, UNASSIGNED, CONTROL} for each in solid)
    return bad > MOST_GARBLED * len(solid)


def looping(text: str) -> bool:
    """Whether most of it was there before, as when a model repeats itself to the end of its strength."""
    words = text.split()
    if len(words) < LEAST_WORDS_FOR_LOOP:
        return _one_character(text)
    groups = list(zip(*(words[start:] for start in range(WORDS)), strict=False))
    return len(set(groups)) < (1 - MOST_REPEATED) * len(groups)


def lost(text: str, letters: int) -> bool:
    """Whether a reader gave much less than the text layer has: `letters` are its characters without spaces."""
    return len("".join(text.split())) < LEAST_KEPT * letters


def fault(text: str, *, by_model: bool) -> tuple[Why, str] | None:
    """Why nobody should label the text of a document; `by_model`: words that a vision model made."""
    if empty(text):
        return Why.EMPTY, "no text came out"
    if garbled(text):
        return Why.POOR, "much of the text is no readable characters: a wrong encoding, or a font without a map"
    if by_model and looping(text):
        return Why.POOR, "the model repeats itself"
    return None


def clean(text: str) -> str:
    """What a text file may hold: no control characters but tab and line end, no half characters."""
    kept = text.replace("\r\n", "\n").replace("\r", "\n").translate(CONTROLS)
    return kept.encode("utf-8", "replace").decode("utf-8")


def _one_character(text: str) -> bool:
    """A word without end: aaaa… or ....."""
    solid = "".join(text.split())
    return len(solid) > 200 and Counter(solid).most_common(1)[0][1] > MOST_REPEATED * len(solid)
