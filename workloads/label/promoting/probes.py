"""A candidate and some texts → questions with known answers, which lie beside the model for as long as it does.

The answers are those of the very file that is promoted, run here: whatever serves must give them too, or it is another
model, another tokenizer, or a runtime that gets it wrong. Held-out items are never among the questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from workloads.errors import DamagedError, GateError
from workloads.label.learning.folder import digest
from workloads.label.promoting import served
from workloads.label.records import Record

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.records import ModelCard

FILE = "probes.json"
MOST = 8
CLOSE = 0.05  # logits: nearer than that, another machine's rounding may choose the other class
UNKNOWN = -1


class Probe(Record):
    """One question: the tokens of a window, and the class of each; UNKNOWN where it is too close to call."""

    tokens: list[int]
    classes: list[int]

    def answered_by(self, classes: list[int]) -> bool:
        """Whether this is the known answer."""
        return len(classes) == len(self.classes) and all(
            known in {UNKNOWN, said} for known, said in zip(self.classes, classes, strict=True)
        )


PROBES = TypeAdapter(list[Probe])


def make(folder: Path, card: ModelCard, texts: list[str]) -> list[Probe]:
    """Questions for a candidate; raises GateError when its files are not the card's, or do not work together."""
    # Late: they bring the engines, which only this stage's environment has.
    from workloads.label.learning.network import Network
    from workloads.label.learning.tokens import Tokenizer

    for name, expected in (("model.onnx", card.onnx_sha256), ("tokenizer.json", card.tokenizer_sha256)):
        if digest(folder / name) != expected:
            raise GateError(
                f"{folder / name} is not the file that the card names",
                usually="it was truncated or replaced after the training",
                next_step="train anew.",
            )
    try:
        network, tokenizer = Network(folder / "model.onnx"), Tokenizer(folder / "tokenizer.json")
        room = card.max_tokens - tokenizer.frame
        questions = [tokenizer.framed(each.ids[:room]) for each in tokenizer.read(texts or [" ".join(card.labels)])]
        found = [network.logits([tokens])[0] for tokens in questions if tokens]
    except DamagedError as error:
        raise GateError(error.what, usually=error.usually, next_step="what served goes on; train anew.") from error
    if not found:
        raise GateError("the tokenizer makes nothing of any text", next_step="what served goes on; train anew.")
    if any(logits.shape[1] != served.classes(card) for logits in found):
        raise GateError(f"the model has {found[0].shape[1]} outputs a token, its labels need {served.classes(card)}")
    return [Probe(tokens=t, classes=_classes(logits)) for t, logits in zip(filter(None, questions), found, strict=True)]


def _classes(logits: np.ndarray) -> list[int]:
    """The class of each token, where the best leads the second clearly."""
    lead = np.diff(np.sort(logits, axis=-1)[:, -2:], axis=-1)[:, 0]
    return [int(each) for each in np.where(lead > CLOSE, logits.argmax(-1), UNKNOWN)]
