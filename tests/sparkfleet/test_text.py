"""Text from a host → what a terminal may be given; JSON from a host → data, or one kind of error."""

from __future__ import annotations

import json
import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.errors import SparkfleetError
from sparkfleet.text import MOST_ACCENTS, MOST_DEPTH, parsed, printable, printable_lines, shown

ANYTHING = st.text(st.characters() | st.sampled_from("\x1b\x9b\x07\r\n\u202e\u2066\u0301\U000e0041\ud800\u200d"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANYTHING,
    lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner),
)


@given(ANYTHING)
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    """No control, no escape, no direction mark, no line break, no half of a character; and it can be written."""
    line = printable(text)

    assert line.isprintable()
    assert len(line) <= 200
    line.encode()


@given(ANYTHING)
def test_showing_twice_is_showing_once(text: str) -> None:
    """A message may quote what was made printable already."""
    assert printable(printable(text)) == printable(text)


@given(st.text("äßñ 日本語 مرحبا 🚀 abc /.:-_", max_size=200))
def test_people_s_words_stay_as_they_are(text: str) -> None:
    """Letters of any script, emoji and blanks are no danger."""
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\x1b[2Jme\n", "?[2Jme?"),
        ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "?]8;;https://evil.example?click?]8;;?"),
        ("\x1b]52;c;cm0gLXJmIH4=\x07", "?]52;c;cm0gLXJmIH4=?"),
        ("\x9b31mred", "?31mred"),
        ("safe\u202egpj.exe", "safe?gpj.exe"),
        ("a\rb\tc\0d", "a?b?c?d"),
        ("broken \udcff", "broken ?"),
    ],
)
def test_known_attacks_are_words(text: str, line: str) -> None:
    """CSI, hyperlinks, the clipboard, C1, direction overrides, a rewritten line, broken UTF-8."""
    assert printable(text) == line


def test_a_heap_of_accents_is_cut() -> None:
    """Two stay on a letter; a hundred would draw over the lines around."""
    line = printable("e" + "\u0301" * 100 + "x")

    assert line == "e" + "\u0301" * MOST_ACCENTS + "x"
    assert printable(unicodedata.normalize("NFD", "Nguyễn")) == unicodedata.normalize("NFD", "Nguyễn")


def test_a_long_text_is_cut_and_says_so() -> None:
    """The end is what a reader misses, so a mark stands there; None bounds nothing."""
    assert printable("x" * 99, 10) == "x" * 9 + "…"
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("x" * 999, None) == "x" * 999


@given(ANYTHING)
def test_line_breaks_of_our_own_stay(text: str) -> None:
    """And nothing else does."""
    lines = printable_lines(text)

    assert lines.count("\n") == text.count("\n")
    assert lines.replace("\n", "").isprintable()


def test_every_error_is_a_net_beneath() -> None:
    """Also where somebody forgot to make a host's words printable."""
    error = SparkfleetError("\x1b[2Jgone\nreally", usually="\x9b1m", next_step="\u202e")

    assert str(error) == "?[2Jgone\nreally\n  This usually means: ?1m\n  Next: ?"


@given(JSON)
def test_data_is_shown_whole_and_harmless(data: object) -> None:
    """The same form, every text in it printable; what is written as JSON can be read back."""
    harmless = shown(parsed(json.dumps(data)), None)

    assert json.dumps(harmless, ensure_ascii=False).replace("\n", "").isprintable()
    json.dumps(harmless, ensure_ascii=False).encode()


@given(st.text() | st.binary())
def test_whatever_is_read_there_is_one_kind_of_error(text: str | bytes) -> None:
    """No traceback of another kind for any input: it is data, or it is refused."""
    with suppress(ValueError):
        json.dumps(parsed(text))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "[" * (MOST_DEPTH + 1) + "]" * (MOST_DEPTH + 1),
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"settings": {}, "settings": {"file:/x": "y"}}',
        "[NaN]",
        "[-Infinity]",
        "[" + "9" * 5000 + "]",
        b"\xff\xfe\x00",
        b'{"a": "\xff"}',
        "",
    ],
)
def test_json_that_is_a_trick_is_refused(text: str | bytes) -> None:
    """Depth, names that stand twice, numbers that are none or have no end, broken UTF-8."""
    with pytest.raises(ValueError, match=r"."):
        parsed(text)
