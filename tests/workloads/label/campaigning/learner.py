"""Texts with their marks → a small tagger in numpy that learns in a second: what stands in for a fine-tuned network.

A softmax over hashed features of a word and its neighbours, trained by AdaGrad. Its logits are read, scored and called
certain by the very functions that a real model's are.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from workloads.label.learning import bio, decode
from workloads.label.learning.bio import Word
from workloads.label.learning.decode import Read, Said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workloads.label.records import Span

WORD, ROOM, EPOCHS, BATCH, RATE = re.compile(r"\w+|[^\w\s]"), 1 << 14, 12, 256, 0.4


@dataclass
class Tagger:
    """Weights of a row a feature, a column an output."""

    labels: Sequence[str]
    weights: NDArray[np.float32]

    def say(self, text: str) -> Said:
        """What it says of a text."""
        read = self.read(text)
        return Said(decode.spans(read.words, read.logits, self.labels, 1.0), decode.certainty(read.logits, 1.0))

    def read(self, text: str) -> Read:
        """Words and logits."""
        words, features = looked_at(text)
        return Read(words, self.weights[features].sum(axis=1))


def learned(texts: Sequence[str], marks: Sequence[Sequence[Span]], labels: Sequence[str], seed: int) -> Tagger:
    """A tagger that has learned from these."""
    told = [looked_at(text) for text in texts]
    features = np.concatenate([each for _, each in told])
    tags = np.concatenate([bio.tags(words, spans, labels) for (words, _), spans in zip(told, marks, strict=True)])
    outputs = len(bio.outputs(labels))
    weights, squares = np.zeros((ROOM, outputs), np.float32), np.full((ROOM, outputs), 1e-6, np.float32)
    chance = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = chance.permutation(len(tags))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            slope = decode.odds(weights[features[rows]].sum(axis=1), 1.0).astype(np.float32)
            slope[np.arange(len(rows)), tags[rows]] -= 1
            met, where = np.unique(features[rows].ravel(), return_inverse=True)
            total = np.zeros((len(met), outputs), np.float32)
            np.add.at(total, where, np.repeat(slope, features.shape[1], axis=0))
            squares[met] += total**2
            weights[met] -= RATE * total / np.sqrt(squares[met])
    return Tagger(labels, weights)


@lru_cache(maxsize=20_000)
def looked_at(text: str) -> tuple[list[Word], NDArray[np.int64]]:
    """The words of a text, and the features of each."""
    found = [(match.start(), match.end(), match[0]) for match in WORD.finditer(text)]
    words = [Word(start, end, at) for at, (start, end, _) in enumerate(found)]
    padded = ["<", "<", *(word.lower() for _, _, word in found), ">", ">"]
    shapes = ["<", *(shape(word) for _, _, word in found), ">"]
    rows = []
    for at in range(len(found)):
        before2, before, here, after, after2 = padded[at : at + 5]
        named = [
            "b", f"0{here}", f"1{before}", f"2{after}", f"3{before2}", f"4{after2}", f"5{before} {here}",
            f"6{here} {after}", f"7{shapes[at + 1]}", f"8{shapes[at]}{shapes[at + 1]}",
            f"9{shapes[at + 1]}{shapes[at + 2]}", f"a{here[-3:]}",
        ]  # fmt: skip
        rows.append([zlib.crc32(name.encode()) % ROOM for name in named])
    return words, np.array(rows, np.int64).reshape(-1, 12)


def shape(word: str) -> str:
    """Castellmar → Xx, 2024 → 0, GmbH → XxX."""
    kinds = "".join(
        "0" if each.isdigit() else "X" if each.isupper() else "x" if each.isalpha() else each for each in word
    )
    return re.sub(r"(.)\1+", r"\1", kinds)
