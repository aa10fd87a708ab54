"""Texts become slices that people can read, whose offsets are those of the text, and each document gets one arm."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.label.arms import arm
from workloads.label.items import cuts, items, joins, shown
from workloads.label.records import Arm, Item

DOCUMENT = "d" * 64
texts = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(["\n\n", "\n", ". ", " ", "e\u0301", "👩‍👩‍👧", "| a | b |\n", "\r\n", "漢字。"]),
    )
).map("".join)


@given(st.text(st.characters(), max_size=200))
def test_what_is_shown_is_as_long_as_what_was_converted(text: str) -> None:
    """One code point for one, without controls and halves of characters; what is clean stays as it is."""
    clean = shown(text)

    assert len(clean) == len(text)
    assert not [each for each in clean if unicodedata.category(each) in {"Cc", "Cs"} and each not in "\n\t"]
    assert shown(clean) == clean
    clean.encode()


@given(texts, st.integers(1, 40))
def test_slices_are_the_text(text: str, most: int) -> None:
    """In order, apart, none longer than wanted, each the text at its place; only blanks are in none."""
    text = shown(text)
    found = items(DOCUMENT, text, Arm.ASSISTED, most)
    at = 0
    for item in found:
        assert item.start >= at
        assert not text[at : item.start].strip()
        assert item.text == text[item.start : item.start + len(item.text)] == item.text.strip() != ""
        assert len(item.text) <= most
        at = item.start + len(item.text)
    assert not text[at:].strip()
    assert [item.part for item in found] == list(range(len(found)))


@given(texts, st.integers(16, 60))
def test_no_character_is_cut_from_its_marks(text: str, most: int) -> None:
    """Accents, vowel signs and joined emoji stay with what they belong to."""
    text = shown(text)
    for start, _ in cuts(text, most):
        before, first = text[start - 1 : start], text[start]
        assert not (start and joins(first) and not before.isspace() and not joins(before))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("One. Two.\nThree\n\nFour five six", "One. Two.\nThree"),  # a paragraph before a line
        ("One. Two three\nFour five six seven", "One. Two three"),  # a line before a sentence
        ("One two. Three four five six seven", "One two."),  # a sentence before a word
        ("onetwothreefour fivesixseven", "onetwothreefour"),
        ("onetwothreefourfivesixseven", "onetwothreefourfives"),
        ("a\n\nonetwothreefour fivesixseven", "a\n\nonetwothreefour"),  # not so early that little is left in it
    ],
)
def test_a_text_is_cut_where_it_pauses_most(text: str, first: str) -> None:
    """Between paragraphs rather than lines, sentences, words, and within a word only where there is no choice."""
    start, end = next(cuts(text, 20))

    assert text[start:end] == first


def test_the_same_slice_has_the_same_name() -> None:
    """On every machine; another part, document or text has another."""
    given = [(DOCUMENT, "a b"), (DOCUMENT, "a a"), ("e" * 64, "a")]
    names = [item.id for document, text in given for item in items(document, text, Arm.TEST, 1)]

    assert names[0] == names[2]
    assert len(set(names)) == 4


def test_documents_are_drawn_in_their_shares() -> None:
    """Of ten thousand, held out and blank in the shares that were asked for, give or take five standard deviations."""
    arms = [arm("contracts", f"{number:064x}", 0.15, 0.05) for number in range(10_000)]

    assert abs(arms.count(Arm.TEST) - 1500) < 5 * 36
    assert abs(arms.count(Arm.CONTROL) - 500) < 5 * 22


@given(st.text("0123456789abcdef", min_size=64, max_size=64), st.floats(0, 1), st.floats(0, 1))
def test_a_held_out_document_stays_held_out(document: str, share: float, more: float) -> None:
    """When an owner raises the share, none that was held out is trained on."""
    if arm("p", document, share, 0) is Arm.TEST:
        assert arm("p", document, max(share, more), 0) is Arm.TEST


def test_an_item_is_a_record() -> None:
    """It is read as it was written, astral characters and all."""
    item = items(DOCUMENT, "\U0001d518 \U0001f600", Arm.CONTROL, 10)[0]

    assert Item.model_validate_json(item.model_dump_json()) == item
