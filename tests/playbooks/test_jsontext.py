"""Texts of JSON objects and pointers → the same texts with one value in or out, and every other byte as it was."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.playbooks.machine import COLLECTIONS

FILE = COLLECTIONS / "ansible_collections/sparkfleet/host/plugins/module_utils/jsontext.py"
spec = importlib.util.spec_from_file_location("jsontext", FILE)
assert spec
assert spec.loader
jsontext = importlib.util.module_from_spec(spec)
spec.loader.exec_module(jsontext)

KEYS = st.sampled_from(["a", "b", "runtimes", "log-opts", 'a"b', "a/b", "~", "é", ""])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
INDENTS = st.sampled_from([None, 1, 2, 4, "\t"])
PATHS = st.lists(KEYS, min_size=1, max_size=3)


def text_of(value: Any, indent: int | str | None, crlf: bool) -> str:
    """One of the ways in which somebody may have written it."""
    text = json.dumps(value, indent=indent, ensure_ascii=indent == 1) + "\n"
    return text.replace("\n", "\r\n") if crlf else text


def pointer_to(path: list[str]) -> str:
    """The path as RFC 6901 writes it."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def put(value: dict[str, Any], path: list[str], new: Any) -> bool:
    """The same change made to the value itself; whether it can be made."""
    for key in path[:-1]:
        if not isinstance(value.setdefault(key, {}), dict):
            return False
        value = value[key]
    value[path[-1]] = new
    return True


@settings(max_examples=60)
@given(OBJECTS, INDENTS, st.booleans(), PATHS, VALUES)
def test_a_value_is_put_in_and_nothing_else_changes(
    value: dict[str, Any], indent: int | str | None, crlf: bool, path: list[str], new: Any
) -> None:
    """The text then holds what the value would hold, in the same order; what is in the way is refused."""
    text = text_of(value, indent, crlf)

    if not put(value, path, new):
        with pytest.raises(jsontext.BrokenError, match="to be an object"):
            jsontext.put(text, pointer_to(path), new)
        return
    after = jsontext.put(text, pointer_to(path), new)

    assert json.dumps(json.loads(after)) == json.dumps(value)
    assert jsontext.put(after, pointer_to(path), new) == after or isinstance(new, dict | list)


@settings(max_examples=60)
@given(OBJECTS, INDENTS, st.booleans(), KEYS, VALUES)
def test_what_was_put_in_can_be_taken_out_again(
    value: dict[str, Any], indent: int | str | None, crlf: bool, key: str, new: Any
) -> None:
    """A key that was not there leaves no trace: the text is the same, byte for byte."""
    value.pop(key, None)
    text = text_of(value, indent, crlf)

    assert jsontext.drop(jsontext.put(text, pointer_to([key]), new), pointer_to([key])) == text


@settings(max_examples=60)
@given(OBJECTS, INDENTS, PATHS)
def test_a_value_is_taken_out_and_nothing_else_changes(
    value: dict[str, Any], indent: int | str | None, path: list[str]
) -> None:
    """Of what is not there nothing changes at all."""
    text = text_of(value, indent, crlf=False)
    there: Any = value
    for key in path[:-1]:
        there = there.get(key) if isinstance(there, dict) else None
    gone = there.pop(path[-1], jsontext) if isinstance(there, dict) else jsontext

    after = jsontext.drop(text, pointer_to(path))

    assert json.dumps(json.loads(after)) == json.dumps(value)
    assert after == text or gone is not jsontext


def test_numbers_blanks_and_order_stay_as_they_were_written() -> None:
    """1.10 does not become 1.1, a table of lists keeps its columns, and the new key takes the file's indentation."""
    text = '{\n  "z": 1.10,  "a": [1,\n        2],\n  "big": 1e400\n}'

    after = jsontext.put(text, "/features/cdi", True)

    assert after == text[:-2] + ',\n  "features": {\n    "cdi": true\n  }\n}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{\n  "a": 1,\n  "b" 2\n}', "line 3 column 7: Expecting ':' delimiter"),
        ('{"a": 1', "line 1 column 8: Expecting ',' delimiter"),
        ("# no JSON\n", "line 1 column 1: Expecting value"),
        ("\n [1]", "line 2 column 2: expected an object"),
        ('{"a": 1}\n{"b": 2}', "line 2 column 1: Extra data"),
        ('{"runtimes": [],\n "x": 1}', 'line 1 column 14: expected "runtimes" to be an object'),
        ('{"runtimes": {},\n "runtimes": {}}', 'line 2 column 2: the key "runtimes" stands here a second time'),
    ],
)
def test_what_is_broken_is_refused_by_line_and_column(text: str, words: str) -> None:
    """Where a person has to look; the text itself is returned by nothing."""
    with pytest.raises(jsontext.BrokenError, match="line") as refused:
        jsontext.put(text, "/runtimes/nvidia/path", "nvidia-container-runtime")

    assert str(refused.value) == words
