"""Folders of candidates/ → the newest one, and what it was made of and with.

candidates/<run>/model/          model.safetensors, config.json, tokenizer.json, tokenizer_config.json
candidates/<run>/model.onnx, tokenizer.json, card.json     what Calypso gets
candidates/<run>/training.jsonl  Learned: what it was trained and calibrated on
candidates/<run>/recipe.json     Recipe: with what
candidates/.training/<sha256>/   a training that is under way
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workloads.errors import DamagedError
from workloads.label.learning.examples import Learned
from workloads.label.learning.folder import CARD, MODEL, card
from workloads.label.records import Record, Sha256

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.records import ModelCard
    from workloads.label.workspace import Workspace

FOLDER, TRAINING, RECIPE = "candidates", "training.jsonl", "recipe.json"
UNDER_WAY = ".training"
EVALUATION, VERDICT = "evaluation.json", "verdict.json"  # what is said of one, beside its card


class Recipe(Record):
    """Everything but the examples that makes a model what it is; the same recipe and examples, the same model."""

    base: str  # its folder's name
    base_sha256: Sha256  # of weights and tokenizer
    labels: list[str]
    epochs: float
    batch: int
    learning_rate: float
    seed: int
    window_tokens: int
    overlap_tokens: int


@dataclass(frozen=True)
class Candidate:
    """A model that was trained, whole."""

    run: str
    folder: Path
    card: ModelCard
    recipe: Recipe
    learned: list[Learned]

    @property
    def here(self) -> bool:
        """Whether it can be: of one that came back from the store only the records are here."""
        return (self.folder / MODEL).exists()


def newest(work: Workspace) -> Candidate | None:
    """The one of the last run that made one."""
    every = runs(work)
    return load(work, every[-1]) if every else None


def runs(work: Workspace) -> list[str]:
    """Those that made one, the oldest first."""
    return sorted(each.parent.name for each in work.path(FOLDER).glob(f"[!.]*/{CARD}"))


def load(work: Workspace, run: str) -> Candidate:
    """A run's; raises MissingModelError, DamagedError."""
    folder = work.path(FOLDER, run)
    recipe = work.one(Recipe, f"{FOLDER}/{run}/{RECIPE}")
    if recipe is None:
        raise DamagedError(f"{folder / RECIPE} is not there", next_step="move the candidate's folder away.")
    return Candidate(run, folder, card(folder), recipe, work.read(Learned, f"{FOLDER}/{run}/{TRAINING}"))
