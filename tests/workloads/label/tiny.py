"""JSON lines on standard input → candidates with tiny models that answer at once; run by the label environment.

    {"folder": "…/candidates/r1", "run": "r1", "project": "p", "labels": ["A", "B"], "serving": null, "fault": ""}

Also probes.json, made as `promote` would make it, for tests that take the steps one by one. A model maps each token to
a class by a table drawn from its run's name. Faults: see FAULTS.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from workloads.label.learning.candidates import Recipe
from workloads.label.promoting import probes
from workloads.label.records import Evaluation, ModelCard, Score

WORDS = [f"word{number}" for number in range(200)]
FRAME = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
SLOW_SIZE, SLOW_TIMES = 1500, 4  # products of matrices: a tenth of a second or more
FAULTS = {
    "",
    "truncated",  # after its card was written
    "unreadable",  # cut short before
    "outputs",  # more than its labels need
    "vocabulary",  # less than its tokenizer's
    "slow",
    "worse",  # the gate keeps it out
    "deaf",  # answers what it is asked here; fails for a token that only real callers send
}


def main() -> None:
    """Write what is asked for."""
    for line in sys.stdin:
        write(**json.loads(line))


def write(*, folder: str, run: str, project: str, labels: list[str], serving: str | None, fault: str) -> None:
    """One candidate, as `finetune` and `evaluate` leave it."""
    if fault not in FAULTS:
        raise ValueError(fault)
    into, now = Path(folder), dt.datetime.now(dt.UTC)
    into.mkdir(parents=True)
    tokenizer().save(str(into / "tokenizer.json"))
    content = network(run, 1 + 2 * len(labels) + (2 if fault == "outputs" else 0), fault).SerializeToString()
    (into / "model.onnx").write_bytes(content[:-500] if fault == "unreadable" else content)
    card = ModelCard(
        run=run, project=project, labels=labels, base="tiny", tokenizer_sha256=digest(into / "tokenizer.json"),
        onnx_sha256=digest(into / "model.onnx"), examples=1, synthetic=1, training_sha256="0" * 64, seed=1, epochs=1,
        temperature=1, max_tokens=64, parity=0, versions={}, trained_at=now,
    )  # fmt: skip
    if fault == "truncated":
        (into / "model.onnx").write_bytes(content[:-500])
    score = Score(precision=0.9, recall=0.9, f1=0.9, low=0.8, high=1, entities=100)
    low = (-0.02 if fault == "worse" else 0.02) if serving else None
    evaluation = Evaluation(
        run=run, serving=serving, test_set="v001", items=40, documents=20, candidate={"all": score},
        incumbent={"all": score} if serving else None, difference=0.03 if serving else None, difference_low=low,
        confidence=0.98, latency_ms=2, at=now,
    )  # fmt: skip
    recipe = Recipe(
        base="tiny", base_sha256="0" * 64, labels=labels, epochs=1, batch=1, learning_rate=0.1, seed=1,
        window_tokens=64, overlap_tokens=8,
    )  # fmt: skip
    for name, record in (("evaluation", evaluation), ("recipe", recipe), ("card", card)):
        (into / f"{name}.json").write_text(record.model_dump_json())
    if fault not in {"truncated", "unreadable", "outputs", "vocabulary"}:
        known = probes.make(into, card, [" ".join(WORDS[at : at + 5]) for at in range(0, 40, 5)])
        (into / probes.FILE).write_bytes(probes.PROBES.dump_json(known))


def tokenizer() -> Tokenizer:
    """Whole words, framed as BERT's are."""
    made = Tokenizer(models.WordLevel({word: at for at, word in enumerate([*FRAME, *WORDS])}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", FRAME.index("[CLS]")), ("[SEP]", FRAME.index("[SEP]"))]
    )
    return made


def network(run: str, outputs: int, fault: str) -> Any:
    """Logits by a table; the mask is taken, as a real one takes it, and changes nothing."""
    chance = np.random.default_rng(zlib.crc32(run.encode()))
    rows = len(FRAME) + len(WORDS)
    rows = {"vocabulary": len(FRAME) + 1, "deaf": rows - 1}.get(fault, rows)
    table = chance.normal(0, 3, (rows, outputs)).astype(np.float32)
    kept = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([2]), "last")]
    kept.append(numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["found"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["wide", "nothing"], ["nil"]),
        helper.make_node("Add", ["found", "nil"], ["logits" if fault != "slow" else "fast"]),
    ]
    if fault == "slow":
        side = np.full((SLOW_SIZE, SLOW_SIZE), 1e-9, np.float32)
        kept.append(numpy_helper.from_array(side, "m0"))
        # The input takes part, or the runtime would do all of it once, when it loads the model.
        nodes.append(helper.make_node("ReduceSum", ["nil"], ["begin"], keepdims=0))
        nodes.append(helper.make_node("Add", ["m0", "begin"], ["p0"]))
        for at in range(SLOW_TIMES):
            nodes.append(helper.make_node("MatMul", [f"p{at}", "m0"], [f"p{at + 1}"]))
        nodes.append(helper.make_node("ReduceMax", [f"p{SLOW_TIMES}"], ["end"], keepdims=0))
        nodes.append(helper.make_node("Add", ["fast", "end"], ["logits"]))
    ends = {"input_ids": TensorProto.INT64, "attention_mask": TensorProto.INT64}
    inputs = [helper.make_tensor_value_info(name, kind, ["batch", "tokens"]) for name, kind in ends.items()]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", "tokens", outputs])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], kept)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(made)
    return made


def digest(file: Path) -> str:
    """Its sha256."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
