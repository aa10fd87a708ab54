"""Examples and a base model → weights: the same ones for the same examples, settings and machine.

Training goes on where it was killed, from the last checkpoint that was written whole. Checkpoints hold pickles, which
run code when they are read: they lie in a folder that is ours alone, only those that this project marked are read, and
the folder goes when the model is there. What is kept and shipped is safetensors. Speaks to transformers.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

from workloads.errors import MissingModelError, printable
from workloads.label.learning import bio
from workloads.label.learning.model import room
from workloads.label.learning.network import padded
from workloads.label.learning.windows import believed, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from workloads.label.learning.examples import Example
    from workloads.label.learning.tokens import Tokenizer
    from workloads.label.params import Finetune

UNTAUGHT = -100  # torch.nn.CrossEntropyLoss leaves it out
CHECKPOINT = "checkpoint-"  # and the number of the step: transformers names it so
WHOLE = "whole"  # a checkpoint without this file was being written when the process died
OTHERS = 0o077
WARM_UP = 0.1  # of all steps
KEPT = 2  # checkpoints: an older one goes before the new one is marked


@dataclass(frozen=True)
class Taught:
    """A window as it is learned from: tokens, and for the first token of each word what it should say."""

    ids: list[int]
    tags: list[int]


def taught(
    examples: Iterable[Example], labels: Sequence[str], tokenizer: Tokenizer, most: int, overlap: int
) -> list[Taught]:
    """Every word of every example, in the window that knows it best."""
    size, overlap = room(most, overlap, tokenizer.frame)
    examples, found = list(examples), []
    for example, tokens in zip(examples, tokenizer.read([each.text for each in examples]), strict=True):
        tags = [UNTAUGHT] * len(tokens.ids)
        for word, tag in zip(tokens.words, bio.tags(tokens.words, example.spans, labels), strict=True):
            tags[word.token] = tag
        places = windows(len(tokens.ids), size, overlap)
        for place, mine in zip(places, believed(places), strict=True):
            inner = [tags[at] if at in mine else UNTAUGHT for at in place]
            frame = [[UNTAUGHT] * len(side) for side in (tokenizer.before, tokenizer.after)]
            ids = tokenizer.framed(tokens.ids[place.start : place.stop])
            found.append(Taught(ids, [*frame[0], *inner, *frame[1]]))
    return found


def base(folder: Path, labels: Sequence[str], seed: int) -> Any:
    """The base model with a new last layer; raises MissingModelError. Code and pickles beside it are not touched."""
    transformers.set_seed(seed)
    outputs = bio.outputs(labels)
    try:
        return transformers.AutoModelForTokenClassification.from_pretrained(
            folder, num_labels=len(outputs), id2label=dict(enumerate(outputs)), ignore_mismatched_sizes=True,
            label2id={name: at for at, name in enumerate(outputs)}, local_files_only=True, use_safetensors=True,
            trust_remote_code=False, dtype=torch.float32,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise MissingModelError(
            f"{folder} is no base model: {printable(str(error))}",
            usually="config.json or model.safetensors is not there; weights that lie there as a pickle are not read.",
            next_step="put a model there, or name another with finetune.base.",
        ) from error


def train(model: Any, examples: list[Taught], settings: Finetune, state: Path, tell: Callable[[int, int], None]) -> int:
    """Train the model in place, on a GPU if there is one; how many steps this took, without those of a killed run."""
    arguments = transformers.TrainingArguments(
        str(state), per_device_train_batch_size=settings.batch, num_train_epochs=settings.epochs,
        learning_rate=settings.learning_rate, warmup_steps=WARM_UP, seed=settings.seed, full_determinism=True,
        save_strategy="steps", save_steps=settings.save_steps, save_total_limit=KEPT,
        report_to=[], disable_tqdm=True, logging_strategy="no", use_cpu=not torch.cuda.is_available(),
    )  # fmt: skip
    trainer = transformers.Trainer(
        model, arguments, train_dataset=examples, data_collator=collate, callbacks=[Steps(tell)]
    )
    last = resumable(state)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return int(trainer.state.global_step) - (int(last.name.removeprefix(CHECKPOINT)) if last else 0)


def collate(windows: Sequence[Taught]) -> dict[str, Any]:
    """A batch, filled up to its longest window."""
    ids, mask = padded([each.ids for each in windows])
    tags = padded([each.tags for each in windows])[0]
    tags[mask == 0] = UNTAUGHT
    batch = {"input_ids": ids, "attention_mask": mask, "labels": tags}
    return {name: torch.from_numpy(values) for name, values in batch.items()}


def resumable(state: Path) -> Path | None:
    """The last checkpoint that is whole; those that are not are removed, and all when others could write there."""
    told = state.stat()
    if told.st_uid != os.geteuid() or told.st_mode & OTHERS:
        shutil.rmtree(state)
        state.mkdir(mode=0o700)
    found = sorted(state.glob(f"{CHECKPOINT}*"), key=lambda folder: int(folder.name.removeprefix(CHECKPOINT)))
    for folder in found:
        if not (folder / WHOLE).is_file():
            shutil.rmtree(folder)
    return next((folder for folder in reversed(found) if folder.exists()), None)


class Steps(transformers.TrainerCallback):  # type: ignore[misc]  # transformers is not there where types are checked
    """Tells of steps, and marks a checkpoint when all of it is written."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self._tell = tell

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:  # noqa: ARG002
        """After each step."""
        self._tell(state.global_step, state.max_steps)

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:  # noqa: ARG002
        """Once the last file of a checkpoint is there."""
        (Path(args.output_dir) / f"{CHECKPOINT}{state.global_step}" / WHOLE).touch()
