"""Examples → windows to learn from, and a folder → the model that learns. Speaks to transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers

from workloads.errors import MissingModelError, printable
from workloads.label.learning import bio
from workloads.label.learning.loop import UNTAUGHT, Taught
from workloads.label.learning.model import room
from workloads.label.learning.windows import believed, windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from workloads.label.learning.examples import Example
    from workloads.label.learning.tokens import Tokenizer


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
