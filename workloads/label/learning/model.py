"""A folder with model.onnx, tokenizer.json and card.json, and texts → what the model says of them.

The same folder lies in Calypso's repository, as a candidate, and in serving/<version>/; its hashes are checked here.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from workloads.errors import DamagedError, MissingModelError
from workloads.label.learning import bio, decode
from workloads.label.learning.decode import Read, Said
from workloads.label.learning.folder import MODEL, TOKENIZER, card, digest
from workloads.label.learning.network import Network
from workloads.label.learning.tokens import Tokenizer
from workloads.label.learning.windows import alike, believed, windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from workloads.label.learning.bio import Word
    from workloads.label.learning.export import Weights
    from workloads.label.learning.network import Logits


@dataclass
class Windowed:
    """A text on its way through the network."""

    words: list[Word]
    windows: list[tuple[range, range, list[int]]]  # where it lies, which tokens it is believed about, framed tokens
    rows: dict[int, Logits] = field(default_factory=dict)  # by window


class Reader:
    """Tokenizer and network; `most` tokens of a window, frame included, of which about `overlap` are seen twice."""

    def __init__(self, tokenizer: Tokenizer, network: Network | Weights, most: int, overlap: int) -> None:
        self._tokenizer, self._network = tokenizer, network
        self._size, self._overlap = room(most, overlap, tokenizer.frame)

    def read(self, texts: Sequence[str], batch: int) -> list[Read]:
        """Every text; windows of like length go through the network together, at most `batch` at a time."""
        given = [self._windowed(each.ids, each.words) for each in self._tokenizer.read(texts)]
        places = [(text, number) for text in given for number in range(len(text.windows))]
        asked = [text.windows[number][2] for text, number in places]
        batches = alike([len(each) for each in asked], batch, self._network.most_tokens)
        answers = self._logits([[asked[each] for each in numbers] for numbers in batches])
        for numbers, rows in zip(batches, answers, strict=True):
            for each, row in zip(numbers, rows, strict=True):
                text, number = places[each]
                text.rows[number] = row
        return [Read(text.words, self._of_words(text)) for text in given]

    def _logits(self, batches: list[list[list[int]]]) -> Iterable[list[Logits]]:
        """Of each batch, in order; as many at a time as the network takes."""
        if self._network.at_once == 1:
            return map(self._network.logits, batches)
        with ThreadPoolExecutor(self._network.at_once) as pool:
            return list(pool.map(self._network.logits, batches))

    def _windowed(self, ids: list[int], words: list[Word]) -> Windowed:
        places = windows(len(ids), self._size, self._overlap) if words else []
        framed = [self._tokenizer.framed(ids[place.start : place.stop]) for place in places]
        return Windowed(words, list(zip(places, believed(places), framed, strict=True)))

    def _of_words(self, text: Windowed) -> Logits:
        """Of each word, the row of its first token, from the window that knows it best."""
        if not text.windows:
            return np.zeros((0, 1), np.float32)
        shift = len(self._tokenizer.before)
        parts = [
            text.rows[number][shift + mine.start - place.start : shift + mine.stop - place.start]
            for number, (place, mine, _) in enumerate(text.windows)
        ]
        return np.asarray(np.concatenate(parts)[[word.token for word in text.words]])


class Model:
    """A whole model. Raises MissingModelError when a file is not there, DamagedError when one is not the card's.

    It answers most texts a second with a batch on each core; a single text is answered soonest by all cores, `alone`.
    """

    def __init__(self, folder: Path, overlap: int, *, alone: bool = False) -> None:
        self.card = card(folder)
        try:
            digests = [digest(folder / name) for name in (MODEL, TOKENIZER)]
        except FileNotFoundError as error:
            raise MissingModelError(f"{error.filename} is not there") from None
        if digests != [self.card.onnx_sha256, self.card.tokenizer_sha256]:
            raise DamagedError(
                f"{folder}: the model or its tokenizer is not the one that the card names",
                usually="it was damaged on the way or at rest, or somebody has replaced it",
                next_step="move the folder away and run again.",
            )
        self.outputs = bio.outputs(self.card.labels)
        network = Network(folder / MODEL, 1 if alone else len(os.sched_getaffinity(0)))
        tokenizer = Tokenizer(folder / TOKENIZER)
        self._reader = Reader(tokenizer, network, self.card.max_tokens, overlap)

    def say(self, texts: Sequence[str], batch: int) -> list[Said]:
        """What it says of each text, with calibrated scores."""
        return [self.said(read) for read in self.read(texts, batch)]

    def read(self, texts: Sequence[str], batch: int) -> list[Read]:
        """Words and logits of each text; raises DamagedError when the model has other outputs than its card."""
        found = self._reader.read(texts, batch)
        if any(len(read.words) and read.logits.shape[1] != len(self.outputs) for read in found):
            raise DamagedError(f"the model has not one output for each of {', '.join(self.outputs)}")
        return found

    def said(self, read: Read) -> Said:
        """Words and logits → spans and certainty."""
        spans = decode.spans(read.words, read.logits, self.card.labels, self.card.temperature)
        return Said(spans, decode.certainty(read.logits, self.card.temperature))


def room(most: int, overlap: int, frame: int) -> tuple[int, int]:
    """How many tokens of text a window holds, and how many of them the next one repeats."""
    size = most - frame
    return size, min(overlap, (size - 1) // 2)
