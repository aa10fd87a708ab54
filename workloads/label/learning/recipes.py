"""project.toml and a base model → the recipe of the next training; the same recipe and examples, the same model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from workloads.errors import MissingModelError
from workloads.label.learning.candidates import Recipe
from workloads.label.learning.folder import TOKENIZER

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.stages import Context

WEIGHTS = "model.safetensors"


def base_of(context: Context, own: Path | str | None) -> Path:
    """The folder of the model that a training begins with: the project's own, or the machine's."""
    return context.params.folder / own if own else context.site.base_model


def recipe_of(context: Context, base: Path) -> Recipe:
    """What the next model is to be made with; raises MissingModelError."""
    params, settings = context.params, context.params.finetune
    total = hashlib.sha256()
    for name in (WEIGHTS, TOKENIZER):
        try:
            total.update((base / name).read_bytes())
        except OSError:
            raise MissingModelError(
                f"{base / name} is not there",
                usually="no base model was put on this machine, or its weights are a pickle, which is not read",
                next_step="put one there, or name another folder in project.toml: finetune.base, compare.bases.",
            ) from None
    return Recipe(
        base=base.name, base_sha256=total.hexdigest(), labels=params.labels, epochs=settings.epochs,
        batch=settings.batch, learning_rate=settings.learning_rate, seed=settings.seed,
        window_tokens=params.preannotate.window_tokens, overlap_tokens=params.preannotate.overlap_tokens,
    )  # fmt: skip
