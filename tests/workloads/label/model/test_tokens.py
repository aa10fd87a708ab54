"""Offsets are those of the text that people see, whatever the tokenizer drops, folds or composes."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workloads.label.items import joins, shown
from workloads.label.learning import bio
from workloads.label.learning.bio import Word
from workloads.label.records import Span

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ["cased", "uncased", "compatible", "stripped", "bytes"]
# Stretches as documents have them; what follows one another in them is what tokenizers disagree about.
SCRIPTS = [
    "Ada Lovelace", "12.50 EUR", "e\u0301te\u0301", "Å\u030a\u0327", "ﬁne", "½", "Ⅷ", "ﷺ", "שָׁלוֹם", "مُحَمَّد",
    "\u202eabc\u202c", "नमस्ते", "ไทย", "한국어", "ｶﾞ", "漢字", "👩‍👩‍👧‍👦", "🇩🇪", "\U0001d518\U0001d52b", "𠀋",
    "a\u200bb", "\ufeffx", "\u00ad-", "İ", "ß", "\ufffd", "| a | b |", "\ue000", "\u0301", "…", "“quoted”",
]  # fmt: skip
BLANKS = [" ", "\n", "\t", "\u00a0", "\u3000", "\n\n", " | "]
texts = st.lists(st.one_of(st.sampled_from(SCRIPTS + BLANKS), st.text(max_size=6))).map("".join).map(shown)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(text=texts)
@example(text="½½ ½")
@example(text="\u0301 x")
def test_words_cover_a_text_and_lie_apart(ask: Callable[..., Any], kind: str, text: str) -> None:
    """No blank is at a word's ends, none overlaps another, and tokens count up: every offset is one of the text."""
    words = [Word(*each) for each in ask("words", kind, text)]

    for before, after in pairwise(words):
        assert before.end <= after.start
        assert before.token < after.token
    for word in words:
        assert 0 <= word.start < word.end <= len(text)
        assert text[word.start : word.end] == text[word.start : word.end].strip()
        assert word.start == 0 or text[word.start - 1].isspace() or not joins(text[word.start])
    covered = {at for word in words for at in range(word.start, word.end)}
    for stretch in re.finditer(r"\S+", text):
        inside = covered & set(range(*stretch.span()))
        assert len(inside) in {0, len(stretch.group())}, f"half of {stretch.group()!r}"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150)
@given(before=texts, entity=st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=3).map(" ".join), after=texts)
def test_an_entity_comes_back_as_it_was_marked(
    ask: Callable[..., Any], kind: str, before: str, entity: str, after: str
) -> None:
    """Between blanks, what a person marked and what a model that is right tells are the same characters."""
    text = f"{before} {entity} {after}"
    marked = Span(start=len(before) + 1, end=len(before) + 1 + len(entity), label="X")
    words = [Word(*each) for each in ask("words", kind, text)]

    found = bio.runs(bio.tags(words, [marked], ["X"]))

    told = [(words[run.first].start, words[run.last].end) for run in found]
    outer = [each for each in re.finditer(r"\S+", text) if marked.start <= each.start() < marked.end]
    kept = [each for each in outer if any(word.start == each.start() for word in words)]
    assert told == ([(kept[0].start(), kept[-1].end())] if kept else [])


@pytest.mark.parametrize("kind", KINDS[:1])
@given(text=st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_words_are_words_and_marks(ask: Callable[..., Any], kind: str, text: str) -> None:
    """In plain text a word is a run of letters and digits, or one punctuation mark."""
    words = [text[start:end] for start, end, _ in ask("words", kind, text)]

    assert words == re.findall(r"[A-Za-z0-9]+|[^A-Za-z0-9\s]", text)


@given(st.lists(texts, max_size=4), st.integers(5, 20), st.integers(0, 30), st.integers(1, 5))
def test_each_word_is_told_of_by_its_own_token(
    ask: Callable[..., Any], several: list[str], most: int, overlap: int, batch: int
) -> None:
    """Through windows, batches by length and back: no text, window or word is taken for another."""
    told, tokens = ask("windowed", "uncased", several, most, overlap, batch)

    assert told == tokens
