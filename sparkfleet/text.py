"""What a host said → text that is safe to show, and JSON that is safe to read. Pure.

A host can be taken over. Whatever it says may hold escape sequences, line breaks that pose as ours, characters that
turn the direction of a line, heaps of accents, or no end: every such text passes through here on its way to people.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

MOST_CHARACTERS = 200
MOST_ACCENTS = 2  # on one letter: Vietnamese needs two; a heap of them draws over the lines above
MOST_DEPTH = 32


def printable(text: str, most: int | None = MOST_CHARACTERS) -> str:
    """One line of at most `most` characters (None: any number) without what could steer a terminal.

    Line breaks, controls (C0 and C1), direction marks, unassigned characters and broken UTF-8 become a question mark.
    """
    if most is not None and len(text) > most:
        return printable(text[: most - 1], None) + "…"
    kept, accents = [], 0
    for character in text:
        accents = accents + 1 if unicodedata.category(character) in {"Mn", "Me", "Mc"} else 0
        if accents <= MOST_ACCENTS:
            kept.append(character if character.isprintable() else "?")
    return "".join(kept)


def printable_lines(text: str, most: int | None = None) -> str:
    """The same for text whose line breaks are our own; `most` counts for each line."""
    return "\n".join(printable(line, most) for line in text.split("\n"))


def shown(data: Any, most: int | None = MOST_CHARACTERS) -> Any:
    """JSON data with every string in it printable, names included; line breaks stay, for texts that have lines."""
    if isinstance(data, str):
        return printable_lines(data, most)
    if isinstance(data, list):
        return [shown(one, most) for one in data]
    if isinstance(data, dict):
        return {printable(key, most): shown(value, most) for key, value in data.items()}
    return data


def parsed(text: str | bytes) -> Any:
    """JSON from a host as plain data; raises ValueError, whatever is wrong with it.

    Refused beside what is no JSON: a key that stands twice in an object (readers differ in which one they take), NaN
    and infinities, and nesting deeper than MOST_DEPTH.
    """
    try:
        data = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_depth(data, MOST_DEPTH)
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _check_depth(data: Any, left: int) -> None:
    if isinstance(data, dict | list):
        if not left:
            raise ValueError("it is nested too deeply")
        for one in data.values() if isinstance(data, dict) else data:
            _check_depth(one, left - 1)
