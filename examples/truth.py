"""What was written into a document, and a text that a person is shown → the spans that a careful person would mark.

Converters join and break lines: a sentence is found by its words, whatever white space lies between them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Known:
    """A sentence and its (start, end, label)."""

    text: str
    spans: list[tuple[int, int, str]]

    def found(self, shown: str) -> list[list[tuple[int, int, str]]]:
        """Its spans in the coordinates of `shown`, once for each time that it stands there."""
        words = list(re.finditer(r"\S+", self.text))
        pattern = r"\s+".join(f"({re.escape(word[0])})" for word in words)
        return [[self._at(words, match, span) for span in self.spans] for match in re.finditer(pattern, shown)]

    def _at(self, words: list[re.Match[str]], match: re.Match[str], span: tuple[int, int, str]) -> tuple[int, int, str]:
        start, end, label = span
        first = next(n for n, word in enumerate(words) if word.end() > start)
        last = next(n for n, word in enumerate(words) if word.end() >= end)
        begin = match.start(first + 1) + start - words[first].start()
        return begin, match.start(last + 1) + end - words[last].start(), label


def load(file: Path) -> dict[str, list[Known]]:
    """Document (its SHA-256) → its sentences."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        told: dict[str, Any] = json.loads(line)
        found[told["document"]] = [
            Known(each["text"], [(span["start"], span["end"], span["label"]) for span in each["spans"]])
            for each in told["sentences"]
        ]
    return found


def spans(known: list[Known], shown: str) -> list[tuple[int, int, str]]:
    """All that is in a text that is shown, in order, nothing twice."""
    return sorted({span for each in known for where in each.found(shown) for span in where})
