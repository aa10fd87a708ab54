"""A text → the network's tokens and the words they make up, with offsets in the very text. Speaks to `tokenizers`.

A tokenizer drops, folds and composes characters; its offset mapping still tells where in the original each token comes
from. What it tells is mended in two ways: marks that were dropped belong to the character they stand on, and words
that stem from one character (as "½" may) are one word.
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
    """The words that tokens make up, by their offsets and the number of the word that each belongs to. Pure."""
    found: list[Word] = []
    number = None
    for token, ((start, end), belongs) in enumerate(zip(offsets, numbers, strict=True)):
        start, end = _whole(text, start, end)  # noqa: PLW2901
        if start >= end:  # a token that stands for nothing of the text
            continue
        if found and (belongs == number or start < found[-1].end):
            last = found[-1]
            found[-1] = last._replace(start=min(last.start, start), end=max(last.end, end))
        else:
            found.append(Word(start, end, token))
        number = belongs
    return found


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """Without blanks at either end, and with all marks on the last character."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    while start < end < len(text) and joins(text[end]):
        end += 1
    return start, end
