"""The text of a JSON object and a pointer → the text with one value put in or taken out, every other byte as it was.

A file that is not ours keeps its order, its numbers as they were written, its blanks and line ends: new text takes the
indentation of what stands around it. Pointers are those of RFC 6901. Standard library only, no I/O.
"""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

import json
import re
from json.decoder import scanstring
from typing import NamedTuple

BLANKS = re.compile(r"[ \t\r\n]*")
INDENTED, INDENT = re.compile(r"[ \t]*"), re.compile(r"\n([ \t]+)\"")
DECODER = json.JSONDecoder()
USUAL_INDENT = "    "


class Member(NamedTuple):
    """A member of an object: its key; where its key's quote, its value, and what follows that stand in the text."""

    key: str
    start: int
    value: int
    end: int


class BrokenError(ValueError):
    """The text is no JSON object, or the pointer meets something else than one; the words name line and column."""

    def __init__(self, text, at, what):
        """Keep the place of `at`, an index into the text, as people count: from one."""
        line = text.count("\n", 0, at) + 1
        column = at - text.rfind("\n", 0, at)
        super().__init__("line %d column %d: %s" % (line, column, what))


def put(text, pointer, value):
    """The text in which the pointer leads to the value; objects on the way are made. Raises BrokenError."""
    text, tokens = checked(text), tokens_of(pointer)
    at = _skip(text, 0)
    for depth, token in enumerate(tokens):
        inside, end = members(text, at)
        found = _only(text, inside, token)
        rest = tokens[depth + 1 :]
        if found is None:
            for above in reversed(rest):
                value = {above: value}
            return _inserted(text, at, inside, end, token, value)
        if not rest:
            return text[: found.value] + _dumped(text, found.start, value) + text[found.end :]
        at = _object_at(text, found)
    raise ValueError("the pointer names no member")


def drop(text, pointer):
    """The text without the member that the pointer leads to; the same text when there is none. Raises BrokenError."""
    text, tokens = checked(text), tokens_of(pointer)
    at = _skip(text, 0)
    for token in tokens[:-1]:
        found = _only(text, members(text, at)[0], token)
        if found is None or text[found.value] != "{":
            return text
        at = found.value
    inside, end = members(text, at)
    found = _only(text, inside, tokens[-1])
    if found is None:
        return text
    place = inside.index(found)
    if len(inside) == 1:
        return text[: at + 1] + text[end:]
    if place == 0:
        return text[: found.start] + text[inside[1].start :]
    return text[: inside[place - 1].end] + text[found.end :]


def get(value, pointer):
    """What the pointer leads to in a value, as a list of one; an empty list when there is nothing."""
    for token in tokens_of(pointer):
        if not isinstance(value, dict) or token not in value:
            return []
        value = value[token]
    return [value]


def value_of(text):
    """The object that a text holds; raises BrokenError."""
    return json.loads(checked(text))


def checked(text):
    """The text, or an empty object's when there is nothing in it; raises BrokenError when it is no JSON object."""
    if not text.strip():
        return "{}\n"
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise BrokenError(text, error.pos, error.msg) from None
    except RecursionError:
        raise BrokenError(text, 0, "nested too deeply") from None
    if not isinstance(value, dict):
        raise BrokenError(text, _skip(text, 0), "expected an object")
    return text


def tokens_of(pointer):
    """/log-opts/max~1size → its keys; ~1 stands for a slash, ~0 for a tilde."""
    if not pointer.startswith("/"):
        raise ValueError("a pointer begins with a slash: %r" % pointer)
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]


def members(text, at):
    """The members of the object that begins at an index of sound JSON text, and where its closing brace stands."""
    found = []
    at = _skip(text, at + 1)
    while text[at] != "}":
        start = at
        key, after = scanstring(text, start + 1)
        value = _skip(text, _skip(text, after) + 1)  # behind the colon
        end = DECODER.raw_decode(text, value)[1]
        found.append(Member(key, start, value, end))
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found, at


def _skip(text, at):
    """The index of the next character that is no blank."""
    return BLANKS.match(text, at).end()


def _only(text, inside, key):
    """The member of that key, or None; raises BrokenError when there are two: readers differ about which one counts."""
    found = [member for member in inside if member.key == key]
    if len(found) > 1:
        raise BrokenError(text, found[1].start, "the key %s stands here a second time" % json.dumps(key))
    return found[0] if found else None


def _object_at(text, member):
    if text[member.value] != "{":
        raise BrokenError(text, member.value, "expected %s to be an object" % json.dumps(member.key))
    return member.value


def _inserted(text, at, inside, end, key, value):  # noqa: PLR0913, PLR0917  (where, and what)
    """A new last member of the object whose braces stand at `at` and `end`."""
    if inside:
        gap = text[at + 1 : inside[0].start] or " "  # what stands before the first member stands before each
        before, after = text[: inside[-1].end] + ",", text[inside[-1].end :]
    else:
        indent = _indent_of_line(text, at)
        on_lines = "\n" in text.strip() or at == _skip(text, 0)
        gap = "\n" + indent + _unit(text) if on_lines else ""
        before, after = text[: at + 1], ("\n" + indent if on_lines else "") + text[end:]
    member = "%s: %s" % (json.dumps(key, ensure_ascii=False), _text_of(value, _unit(text), gap))
    return before + gap + member + after


def _dumped(text, start, value):
    """A value in the place of a member's own, whose key stands at `start`."""
    line = text.rfind("\n", 0, start) + 1
    starts_line = line and not text[line:start].strip()
    return _text_of(value, _unit(text), "\n" + text[line:start] if starts_line else "")


def _text_of(value, unit, gap):
    """A value as text; over several lines where its surroundings are."""
    if "\n" not in gap or not isinstance(value, (dict, list)) or not value:
        return json.dumps(value, ensure_ascii=False)
    indent = gap.rpartition("\n")[2]
    return json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", "\n" + indent)


def _unit(text):
    """One step of indentation: the first line that is indented has it."""
    found = INDENT.search(text)
    return found.group(1) if found else USUAL_INDENT


def _indent_of_line(text, at):
    line = text.rfind("\n", 0, at) + 1
    return INDENTED.match(text, line).group()
