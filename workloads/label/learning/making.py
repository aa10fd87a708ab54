"""Examples and a recipe → candidates/<run>/, which appears whole: weights, model.onnx, tokenizer, card.

What is under way lies in candidates/.training/<sha256 of the examples>/, and another training's remains are removed.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloads.label.learning import calibration, candidates, decode, export, loop, training
from workloads.label.learning.examples import Learned, divided, training_sha256
from workloads.label.learning.folder import CARD, MODEL, TOKENIZER, digest
from workloads.label.learning.model import Reader
from workloads.label.learning.network import Network
from workloads.label.learning.tokens import Tokenizer
from workloads.label.records import ModelCard
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from workloads.label.learning.candidates import Recipe
    from workloads.label.learning.examples import Example
    from workloads.label.stages import Context, Report

LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime")
TOKENIZER_SETTINGS = "tokenizer_config.json"
COMPARED = 64  # windows whose logits are compared


@dataclass(frozen=True)
class Lesson:
    """All that a training needs, in the memory: its model, and the windows that it learns."""

    recipe: Recipe
    base: Path
    learned: list[Example]
    apart: list[Example]
    tokenizer: Tokenizer
    model: Any
    most: int  # tokens of a window
    windows: list[loop.Taught]

    @property
    def examples(self) -> list[Example]:
        """Those kept apart, too."""
        return [*self.learned, *self.apart]

    def pace(self, save_steps: int) -> loop.Pace:
        """The recipe's part of it."""
        recipe = self.recipe
        return loop.Pace(recipe.batch, recipe.epochs, recipe.learning_rate, recipe.seed, save_steps)


def lesson(examples: list[Example], recipe: Recipe, base: Path, weights: Path | None = None) -> Lesson:
    """Read it; `weights`: a model that learned this already, not the base's. Raises MissingModelError."""
    tokenizer, model = Tokenizer(base / TOKENIZER), training.base(weights or base, recipe.labels, recipe.seed)
    most = min(recipe.window_tokens, model.config.max_position_embeddings)
    learned, apart = divided(examples)
    windows = training.taught(learned, recipe.labels, tokenizer, most, recipe.overlap_tokens)
    return Lesson(recipe, base, learned, apart, tokenizer, model, most, windows)


def make(context: Context, examples: list[Example], recipe: Recipe, base: Path) -> Report:
    """Train, calibrate, export; goes on where a killed one stopped. Raises MissingModelError, OSError."""
    state = prepared(context.work, training_sha256(examples), recipe)
    given = lesson(examples, recipe, base)
    pace = given.pace(context.params.finetune.save_steps)
    steps = loop.train(given.model, given.windows, pace, state, lambda done, total: context.tell(done, total, "steps"))
    told = finished(context, given, state)
    shutil.rmtree(state)
    return {"result": "trained", **told, "steps": steps}


def finished(context: Context, given: Lesson, state: Path) -> Report:
    """What was learned → candidates/<run>/: exported, compared, calibrated; made in `state`, it appears whole."""
    recipe, made = given.recipe, Workspace(state / "candidate")
    shutil.rmtree(made.folder, ignore_errors=True)
    model = given.model.to("cpu").eval()
    saved(given, made.path("model"))
    shutil.copyfile(given.base / TOKENIZER, made.path(TOKENIZER))
    export.export(model, made.path(MODEL))
    by_length = sorted({tuple(each.ids) for each in given.windows}, key=len)
    compared = by_length[:: max(1, len(by_length) // COMPARED)] + by_length[-1:]
    reader = Reader(given.tokenizer, Network(made.path(MODEL)), given.most, recipe.overlap_tokens)
    temperature, told = calibrated(reader, given.apart, recipe)
    made.replace(candidates.TRAINING, lines(given.learned, given.apart))
    made.put(candidates.RECIPE, recipe.model_dump_json().encode())
    card = ModelCard(
        run=context.run, project=context.params.name, labels=recipe.labels, base=recipe.base,
        tokenizer_sha256=digest(made.path(TOKENIZER)), onnx_sha256=digest(made.path(MODEL)),
        examples=len(given.examples), synthetic=sum(each.synthetic for each in given.examples),
        training_sha256=training_sha256(given.examples), seed=recipe.seed, epochs=recipe.epochs,
        temperature=temperature, max_tokens=given.most, parity=export.parity(model, made.path(MODEL), compared),
        versions=versions(), trained_at=dt.datetime.now(dt.UTC),
    )  # fmt: skip
    made.put(CARD, card.model_dump_json(indent=1).encode())
    into = context.work.path(candidates.FOLDER, context.run)
    into.parent.mkdir(exist_ok=True)
    made.folder.rename(into)
    return {
        "examples": len(given.examples), "apart": len(given.apart), "windows": len(given.windows),
        "parity": float(f"{card.parity:.2g}"), "temperature": temperature, **told,
    }  # fmt: skip


def saved(given: Lesson, folder: Path) -> None:
    """Its weights as they are now, with config and tokenizer."""
    given.model.save_pretrained(folder)
    for name in (TOKENIZER, TOKENIZER_SETTINGS):
        if (given.base / name).exists():
            shutil.copyfile(given.base / name, folder / name)


def prepared(work: Workspace, sha256: str, recipe: Recipe) -> Path:
    """The folder of this training, with what an earlier run left of it if recipe and libraries are the same."""
    above = work.path(candidates.FOLDER, candidates.UNDER_WAY)
    state = above / sha256
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    for other in above.iterdir():
        if other != state:
            shutil.rmtree(other)
    text = json.dumps({"recipe": recipe.model_dump(), "versions": versions()}).encode()
    begun = Workspace(state)
    if not begun.path("begun.json").exists() or begun.path("begun.json").read_bytes() != text:
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(mode=0o700)
        begun.put("begun.json", text)
    return state


def calibrated(reader: Reader, apart: list[Example], recipe: Recipe) -> tuple[float, Report]:
    """The temperature, and how far scores were and are from the truth, over how many entities."""
    read = reader.read([each.text for each in apart], recipe.batch)
    truth = [each.spans for each in apart]
    temperature = calibration.temperature(read, truth, recipe.labels)
    right = [
        bool(hit) for each, true in zip(read, truth, strict=True) for hit in calibration.hits(each, true, recipe.labels)
    ]

    def error(at: float) -> float | None:
        told = [
            score for each in read for score in decode.scores(decode.runs(each.logits), decode.odds(each.logits, at))
        ]
        found = calibration.error(told, right)
        return None if found is None else round(found, 4)

    return temperature, {
        "calibration_error": error(temperature), "calibration_error_before": error(1.0),
        "calibration_entities": len(right),
    }  # fmt: skip


def lines(learned: list[Example], apart: list[Example]) -> list[Learned]:
    """What training.jsonl says."""
    return [
        Learned(item=each.item, digest=each.digest, at=each.at, apart=kept)
        for some, kept in ((learned, False), (apart, True)) for each in some
    ]  # fmt: skip


def versions() -> dict[str, str]:
    """Of the libraries that a model depends on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}
