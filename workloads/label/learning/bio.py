"""Labelled stretches of text ⇄ one tag a word: "O" outside, "B-X" where an X begins, "I-X" where it goes on. Pure.

A word is the smallest thing that is labelled: a stretch that covers part of one labels all of it. Where two stretches
overlap, the one that begins first is learned, of two that begin together the longer one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloads.label.records import Span

OUTSIDE = 0


class Word(NamedTuple):
    """A stretch of a text, and which of the text's tokens is its first."""

    start: int
    end: int
    token: int


class Run(NamedTuple):
    """Words `first` to `last`, both included, that are one entity; `label` counts from 0."""

    first: int
    last: int
    label: int


def outputs(labels: Sequence[str]) -> list[str]:
    """The names of a network's outputs, in order."""
    return ["O", *(f"{mark}-{label}" for label in labels for mark in "BI")]


def begin(label: int) -> int:
    """The output that says that an entity begins."""
    return 1 + 2 * label


def inside(label: int) -> int:
    """The output that says that an entity goes on."""
    return 2 + 2 * label


def tags(words: Sequence[Word], spans: Sequence[Span], labels: Sequence[str]) -> list[int]:
    """An output for each word; spans of labels that are not among `labels` count as nothing."""
    number = {label: at for at, label in enumerate(labels)}
    told = [OUTSIDE] * len(words)
    at = 0  # words before it end before the span begins
    for span in sorted(spans, key=lambda each: (each.start, -each.end)):
        if span.label not in number:
            continue
        while at < len(words) and words[at].end <= span.start:
            at += 1
        last = at
        while last < len(words) and words[last].start < span.end:
            last += 1
        if at < last and told[at] == OUTSIDE:
            told[at] = begin(number[span.label])
            told[at + 1 : last] = [inside(number[span.label])] * (last - at - 1)
    return told


def runs(tags: Sequence[int]) -> list[Run]:
    """The entities that the tags tell of; one that goes on without having begun begins there."""
    found: list[Run] = []
    for at, tag in enumerate(tags):
        if tag == OUTSIDE:
            continue
        label, goes_on = divmod(tag - 1, 2)
        before = found[-1] if found else None
        if goes_on and before and (before.last, before.label) == (at - 1, label):
            found[-1] = before._replace(last=at)
        else:
            found.append(Run(at, at, label))
    return found
