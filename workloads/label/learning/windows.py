"""Tokens of a long text → overlapping windows that a network can take, in batches; and which one to believe. Pure."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def windows(count: int, size: int, overlap: int) -> list[range]:
    """Windows of at most `size` tokens over `count` of them, each sharing at least `overlap` with the one before.

    As few as can be, and all of one length, no longer than that takes. No tokens, no windows.
    """
    if count <= size:
        return [range(count)] if count else []
    number = math.ceil((count - overlap) / (size - overlap))
    length = math.ceil((count + (number - 1) * overlap) / number)
    starts = [(count - length) * at // (number - 1) for at in range(number)]
    return [range(start, start + length) for start in starts]


def alike(lengths: Sequence[int], most: int, tokens: int) -> list[list[int]]:
    """The numbers of windows of such lengths, in batches of like length, the longest first.

    A batch has at most `most` windows, and `tokens` together with what fills them up to its longest one, if it has more
    than that one.
    """
    found: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        last = found[-1] if found else []
        if 0 < len(last) < most and (len(last) + 1) * lengths[last[0]] <= tokens:
            last.append(number)
        else:
            found.append([number])
    return found


def believed(among: Sequence[range]) -> list[range]:
    """For each window the tokens that it knows best, being farthest from where it cuts the text off.

    Together they are all tokens, each once; a token has at least half an overlap of text on both sides.
    """
    if not among:
        return []
    borders = [(window.stop + following.start) // 2 for window, following in pairwise(among)]
    return [range(*pair) for pair in pairwise([0, *borders, among[-1].stop])]
