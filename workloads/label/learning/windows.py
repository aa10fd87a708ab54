"""Tokens of a long text → overlapping windows that a network can take, and which one to believe about a token. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def windows(count: int, size: int, overlap: int) -> list[range]:
    """Windows of at most `size` tokens over `count` of them, each sharing at least `overlap` with the one before.

    All but a lone one are full: the last begins early enough. No tokens, no windows.
    """
    starts = range(0, max(count - size, 0), size - overlap)
    return [range(start, start + size) for start in starts] + ([range(max(count - size, 0), count)] if count else [])


def believed(among: Sequence[range]) -> list[range]:
    """For each window the tokens that it knows best, being farthest from where it cuts the text off.

    Together they are all tokens, each once; a token has at least half an overlap of text on both sides.
    """
    if not among:
        return []
    borders = [(window.stop + following.start) // 2 for window, following in pairwise(among)]
    return [range(*pair) for pair in pairwise([0, *borders, among[-1].stop])]
