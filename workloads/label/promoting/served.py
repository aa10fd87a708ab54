"""A model's card and a version → config.pbtxt, and back to the version. Pure.

https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from workloads.errors import DamagedError

if TYPE_CHECKING:
    from workloads.label.records import ModelCard

FILE = "config.pbtxt"
MOST_BATCH = 32
WARM_UP_TOKENS = 16  # a model that cannot answer at all fails its load, not its first caller
SPECIFIC = re.compile(r"^version_policy: \{ specific: \{ versions: \[(\d+)\] \} \}$", re.MULTILINE)
# There is no such backend: the server refuses the model, and does not guess one from the files that lie beside.
NOTHING = "nothing-is-served"


def render(model: str, version: int, card: ModelCard) -> str:
    """The whole file: exactly this version, and the run that made it."""
    named = {
        "spark_run_id": card.run,
        "tokenizer_sha256": card.tokenizer_sha256,
        "onnx_sha256": card.onnx_sha256,
        "labels": ",".join(card.labels),
    }
    warm = f"value: {{ data_type: TYPE_INT64 dims: [{WARM_UP_TOKENS}] zero_data: true }}"
    lines = [
        f"name: {_text(model)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {MOST_BATCH}",
        'input { name: "input_ids" data_type: TYPE_INT64 dims: [-1] }',
        'input { name: "attention_mask" data_type: TYPE_INT64 dims: [-1] }',
        f'output {{ name: "logits" data_type: TYPE_FP32 dims: [-1, {classes(card)}] }}',
        "dynamic_batching { max_queue_delay_microseconds: 2000 }",
        f"version_policy: {{ specific: {{ versions: [{version}] }} }}",
        'model_warmup { name: "one" batch_size: 1',
        *(f"  inputs {{ key: {_text(name)} {warm} }}" for name in ("input_ids", "attention_mask")),
        "}",
        *(
            f"parameters {{ key: {_text(key)} value: {{ string_value: {_text(told)} }} }}"
            for key, told in named.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def nothing(model: str) -> str:
    """The file that serves no version."""
    return f"name: {_text(model)}\nbackend: {_text(NOTHING)}\n"


def version_of(text: str) -> int | None:
    """The version that the file serves, None for none; raises DamagedError for a file that is not ours."""
    if found := SPECIFIC.findall(text):
        return int(found[-1])
    if f"backend: {_text(NOTHING)}" in text:
        return None
    raise DamagedError(
        f"{FILE} does not serve one version by its number",
        usually="it was written by hand: promotion keeps exactly one line `version_policy: …` in it",
        next_step="put back the file that promotion wrote; the bucket keeps its versions.",
    )


def classes(card: ModelCard) -> int:
    """The network's outputs a token: O, then B- and I- of each label."""
    return 1 + 2 * len(card.labels)


def _text(value: str) -> str:
    """A string in protobuf's text form; what JSON escapes, and how, is among its own."""
    return json.dumps(value, ensure_ascii=False)
