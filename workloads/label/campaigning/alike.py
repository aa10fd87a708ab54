"""Texts → which of them would teach a model the same: those that share most of their pairs of words. Pure.

Every figure counts as the same figure, so that two invoices of one form are alike. The share is Jaccard's index of the
sets of pairs, estimated by one-permutation MinHash (Li, Owen, Zhang, One Permutation Hashing, 2012): a text becomes 128
numbers once, and comparing it with ten thousand others takes a millisecond.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Sketch = NDArray[np.uint32]

BINS, BITS = 128, 7
EMPTY = np.uint32(0xFFFFFFFF)
WORDS, FIGURE = re.compile(r"\w+"), re.compile(r"\d")
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads neighbours (Knuth, vol. 3, 6.4)


class Seen:
    """Texts that need not be shown again, nor any that is alike."""

    def __init__(self, texts: Iterable[str], alike: float) -> None:
        self._alike = alike
        self._rows = np.array([sketch(text) for text in texts], np.uint32).reshape(-1, BINS)

    def add(self, text: str) -> bool:
        """Whether it is unlike all before; then it is one of them."""
        row = sketch(text)
        if len(self._rows) and shares(self._rows, row).max() >= self._alike:
            return False
        self._rows = np.concatenate([self._rows, row[None]])
        return True


def sketch(text: str) -> Sketch:
    """Of each bin, the least number of a pair of words that falls into it."""
    words = np.array([zlib.crc32(word.encode()) for word in WORDS.findall(FIGURE.sub("0", text.lower()))], np.uint64)
    pairs = words[:-1] * np.uint64(31) + words[1:] if len(words) > 1 else words
    mixed = (pairs + np.uint64(1)) * MIX
    mixed ^= mixed >> np.uint64(29)
    mixed *= MIX
    found = np.full(BINS, EMPTY)
    np.minimum.at(
        found, (mixed >> np.uint64(64 - BITS)).astype(int), (mixed >> np.uint64(8)).astype(np.uint32) & ~np.uint32(1)
    )
    return found


def shares(rows: NDArray[np.uint32], row: Sketch) -> NDArray[np.float64]:
    """Of each row, the share of pairs that it has in common with one text; two texts without words are the same."""
    both_empty = (rows == EMPTY) & (row == EMPTY)
    same = ((rows == row) & ~both_empty).sum(axis=1)
    used = BINS - both_empty.sum(axis=1)
    return np.where(used == 0, 1.0, same / np.maximum(used, 1))
