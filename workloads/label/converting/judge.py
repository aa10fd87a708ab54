"""A slice and what a reader made of it → what is kept, which pages are lost, or why all of it is. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.label.converting import checks
from workloads.label.converting.messages import Part, Reader
from workloads.label.records import Why

if TYPE_CHECKING:
    from workloads.label.converting.messages import Answer
    from workloads.label.converting.plan import Slice

BY_MODEL = {Reader.VISION, Reader.ENDPOINT}  # words that a model made up, so far as anybody knows


@dataclass(frozen=True)
class Verdict:
    """What of an answer is used. `why`: of the lost pages, or of the whole slice when `parts` is None."""

    parts: list[Part] | None
    lost: list[int]
    why: Why = Why.UNREADABLE
    detail: str = ""


def judged(piece: Slice, answer: Answer) -> Verdict:
    """An answer that is none, or poor, is the reader's failure; pages fail alone where that can be told."""
    reader = piece.readers[0]
    if answer.why:
        return Verdict(None, [], answer.why, answer.detail)
    lost = {page for page in answer.failed if piece.first <= page <= piece.last}
    detail = answer.notes[0] if lost and answer.notes else "the reader gave nothing for it"
    why = Why.UNREADABLE
    if reader in BY_MODEL:
        poor = {page for page, text in _pages(answer.parts).items() if checks.fault(text, by_model=True)}
        silent = set(range(piece.first, piece.last + 1)) - _pages(answer.parts).keys()
        if (poor | silent) - lost:
            why, detail = Why.POOR, "a vision model gave nothing for it, or repeats itself"
        lost |= poor | silent
    parts = [part for part in answer.parts if part.page not in lost or not part.page]
    text = "\n".join(part.text for part in parts)
    if piece.last and len(lost) == piece.last - piece.first + 1:
        return Verdict(None, [], why, detail)
    if not lost and piece.letters and checks.lost(text, piece.letters):
        return Verdict(None, [], Why.POOR, "much less came out than there is")
    blank = piece.last and not piece.letters  # pages without a letter: nothing is right
    fault = None if blank else checks.fault(text, by_model=False)
    if fault and len(piece.readers) > 1:
        return Verdict(None, [], *fault)
    return Verdict(parts, sorted(lost), why, detail)


def _pages(parts: list[Part]) -> dict[int, str]:
    """What is said of each page."""
    found: dict[int, str] = {}
    for part in parts:
        found[part.page] = f"{found.get(part.page, '')}\n{part.text}"
    return found
