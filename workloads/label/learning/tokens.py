"""A text → the network's tokens and the words they make up, with offsets in the very text. Speaks to `tokenizers`.

A tokenizer drops, folds and composes characters; its offset mapping still tells where in the original each token comes
from. What it tells is mended: a character that was dropped belongs to the word that it touches, and words that share
a character ("½" may become three), or part a letter from its accent, are one word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import tokenizers

from workloads.errors import DamagedError, printable
from workloads.label.items import joins
from workloads.label.learning.bio import Word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Tokens:
    """A text as the network reads it: tokens, without those that frame a window; words in order, never overlapping."""

    ids: list[int]
    words: list[Word]


class Tokenizer:
    """tokenizer.json. Raises DamagedError when it is none."""

    def __init__(self, file: Path) -> None:
        try:
            self._engine = tokenizers.Tokenizer.from_file(str(file))
        except Exception as error:  # the engine raises nothing more special
            raise DamagedError(f"{file} is no tokenizer: {printable(str(error))}") from error
        self._engine.no_truncation()
        self._engine.no_padding()
        framed, bare = (self._engine.encode("a", add_special_tokens=add).ids for add in (True, False))
        at = next((at for at in range(len(framed)) if framed[at : at + len(bare)] == bare), 0)
        self.before, self.after = framed[:at], framed[at + len(bare) :]

    @property
    def frame(self) -> int:
        """How many tokens of a window are not text."""
        return len(self.before) + len(self.after)

    def framed(self, ids: Sequence[int]) -> list[int]:
        """A window as the network takes it."""
        return [*self.before, *ids, *self.after]

    def read(self, texts: Iterable[str]) -> list[Tokens]:
        """All texts, on all cores."""
        texts = list(texts)
        encodings = self._engine.encode_batch(texts, add_special_tokens=False)
        return [
            Tokens(each.ids, words(text, each.offsets, each.word_ids))
            for text, each in zip(texts, encodings, strict=True)
        ]


def words(text: str, offsets: Sequence[tuple[int, int]], numbers: Sequence[int | None]) -> list[Word]:
    """The words that tokens make up, by their offsets and the number of the word that each belongs to. Pure.

    Words lie apart, in order, and no blank is at their ends. Every other character is in one, unless there are blanks
    or the text's ends on both sides of a stretch for which no token stands.
    """
    found: list[Word] = []
    number = None
    for token, ((start, end), belongs) in enumerate(zip(offsets, numbers, strict=True)):
        start, end = _trimmed(text, start, end)  # noqa: PLW2901
        if start >= end:  # a token that stands for nothing of the text
            continue
        last = found[-1] if found else None
        if last and (reached := _reach(text, last.end, start)) != last.end:
            last = found[-1] = last._replace(end=reached)
        if last and (belongs == number or start < last.end or (start == last.end and joins(text[start]))):
            found[-1] = Word(last.start, max(last.end, end), last.token)
        else:
            found.append(Word(_reach_back(text, start, last.end if last else 0), end, token))
        number = belongs
    if found:
        found[-1] = found[-1]._replace(end=_reach(text, found[-1].end, len(text)))
    return found


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Without blanks at either end."""
    covered = text[start:end]
    start += len(covered) - len(covered.lstrip())
    return start, start + len(covered.strip())


def _reach(text: str, end: int, most: int) -> int:
    """A word's end, with the characters behind it that no token stands for."""
    while end < most and not text[end].isspace():
        end += 1
    return end


def _reach_back(text: str, start: int, least: int) -> int:
    """A word's start, with the characters before it that no token stands for."""
    while start > least and not text[start - 1].isspace():
        start -= 1
    return start
