"""One set of texts → how fast a model marks them, by the label loop and by transformers' own pipeline; one table.

    LABEL_PYTHON bench/preannotate.py [--texts 96] [--repeat 3] [--model "DistilBERT-base's shape"] [--json FILE]

Two models with random weights, the same for all, in 32 bits: DistilBERT-base's shape (66 M, 9 outputs) and the lab's
small base model. Two sets of texts as contracts have them: short ones, 45 tokens on average and none too long for a
window, and items of 3,000 characters, for which the pipeline is given its stride. From the texts to the spans, in this
process, in turns, medians; the first call of each is not counted. The pipeline runs with its defaults, with batches,
and with the texts sorted for it. Of the short texts every span must be the same, of every contender; of long ones the
two cut windows differently and believe different ones, so how many agree is only told.
Runs in the environment of the label loop (requirements/label.txt), on a CPU.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench, examples and lab are not installed
sys.path.remove(str(Path(__file__).resolve().parent))  # its module datasets is not the library of that name

import torch
import transformers
from rich.console import Console
from rich.table import Table

from bench.measure import BenchError, Run, call, median
from examples import sentences
from lab import models
from workloads.label.items import cuts
from workloads.label.learning import bio, export, folder
from workloads.label.learning.model import Model
from workloads.label.params import Preannotate
from workloads.label.records import ModelCard

if TYPE_CHECKING:
    from collections.abc import Callable

    Found = list[list[tuple[int, int, str]]]
    Marks = Callable[[list[str]], Found]

LABELS, SEED, SPREAD = ["PARTY", "DATE", "AMOUNT", "TERM"], 7, 2.0  # wider weights say more labels
OURS, DEFAULTS, BASE, SMALL = "sparkfleet", "pipeline, defaults", "DistilBERT-base's shape", "the lab's base model"
SORTED = "pipeline, batches of 32, sorted for it"
PEERS = {DEFAULTS: 1, "pipeline, batches of 8": 8, "pipeline, batches of 32": 32, SORTED: 32}
GOAL = 3.0
SHORT, LONG = "short", "items"
SETTINGS = Preannotate()


@dataclass(frozen=True)
class Case:
    """One model and one set of texts: what each contender needed for it, and the share of our spans that it has."""

    model: str
    texts: str
    count: int
    tokens: float  # of a text, on average
    runs: dict[str, list[Run]]
    same: dict[str, float]
    spans: int


def short(count: int, chance: random.Random) -> list[str]:
    """So many texts, 26 words on average, and never more than 110."""
    return [" ".join(_words(chance, min(110, max(4, round(chance.lognormvariate(3.05, 0.65)))))) for _ in range(count)]


def items(count: int, chance: random.Random) -> list[str]:
    """So many slices, as the stage cuts them from a long text."""
    text = " ".join(_words(chance, count * 700))
    return [text[start:end] for start, end in cuts(text, SETTINGS.item_characters)][:count]


def _words(chance: random.Random, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        found += " ".join(each.text for each in sentences.document(sentences.CONTRACTS, chance)).split()
    return found[:count]


def network(name: str, base: Path) -> Any:
    """The same random weights each time."""
    transformers.set_seed(SEED)
    names = dict(enumerate(bio.outputs(LABELS)))
    described: dict[str, Any] = {"id2label": names, "label2id": {label: at for at, label in names.items()}}
    if name == BASE:
        shape = transformers.DistilBertConfig(**described)
    else:
        shape = transformers.AutoConfig.from_pretrained(base, **described)
    made = transformers.DistilBertForTokenClassification(shape).eval()
    with torch.no_grad():
        for each in made.parameters():
            each.mul_(SPREAD if each.dim() > 1 else 1)
    return made


def ours(made: Any, base: Path, place: Path) -> Marks:
    """A folder as finetune leaves it, read as preannotate reads it."""
    export.export(made, place / folder.MODEL)
    (place / folder.TOKENIZER).write_bytes((base / folder.TOKENIZER).read_bytes())
    card = ModelCard(
        run="bench", project="bench", labels=LABELS, base=base.name, examples=0, synthetic=0,
        tokenizer_sha256=folder.digest(place / folder.TOKENIZER), onnx_sha256=folder.digest(place / folder.MODEL),
        training_sha256="0" * 64, seed=SEED, epochs=1, temperature=1, max_tokens=SETTINGS.window_tokens, parity=0,
        versions={}, trained_at=dt.datetime.now(dt.UTC),
    )  # fmt: skip
    (place / folder.CARD).write_text(card.model_dump_json())
    model = Model(place, SETTINGS.overlap_tokens)
    return lambda texts: [
        [(span.start, span.end, span.label) for span in said.spans] for said in model.say(texts, SETTINGS.batch)
    ]


def pipeline(made: Any, base: Path, kind: str, name: str) -> Marks:
    """Its words by their first tokens, as ours are."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(base, model_max_length=SETTINGS.window_tokens)
    long = {"stride": SETTINGS.overlap_tokens} if kind == LONG else {}
    pipe = transformers.pipeline(
        "token-classification", model=made, tokenizer=tokenizer, device="cpu", aggregation_strategy="first", **long
    )

    def marks(texts: list[str]) -> Found:
        order = sorted(range(len(texts)), key=lambda at: len(texts[at])) if name == SORTED else range(len(texts))
        found: Found = [[]] * len(texts)
        for at, told in zip(order, pipe([texts[at] for at in order], batch_size=PEERS[name]), strict=True):
            found[at] = [(each["start"], each["end"], each["entity_group"]) for each in told]
        return found

    return marks


def measured(model: str, kind: str, texts: list[str], repeat: int, base: Path) -> Case:
    """All contenders in turns; raises BenchError when one marks a short text in another way."""
    made = network(model, base)
    lengths = [len(each) for each in transformers.AutoTokenizer.from_pretrained(base)(texts)["input_ids"]]
    if kind == SHORT and max(lengths) > SETTINGS.window_tokens:
        raise BenchError("a short text is longer than a window")
    with tempfile.TemporaryDirectory() as place:
        contenders = {OURS: ours(made, base, Path(place))}
        contenders |= {name: pipeline(made, base, kind, name) for name in PEERS}
        found = {name: marks(texts) for name, marks in contenders.items()}
        runs: dict[str, list[Run]] = {name: [] for name in contenders}
        for _ in range(repeat):
            for name, marks in contenders.items():
                runs[name].append(call(lambda marks=marks: marks(texts)))  # type: ignore[misc]  # a default hides its type
    true = {(at, *span) for at, told in enumerate(found[OURS]) for span in told}
    same = {
        name: len(true & (theirs := {(at, *span) for at, told in enumerate(spans) for span in told}))
        / len(true | theirs)
        for name, spans in found.items()
    }
    if len({label for *_, label in true}) < len(LABELS):
        raise BenchError("these weights do not say every label: they prove little")
    if kind == SHORT and any(share < 1 for share in same.values()):
        raise BenchError(f"not the same spans: {same}")
    return Case(model, kind, len(texts), sum(lengths) / len(lengths), runs, same, len(true))


def shown(case: Case) -> float:
    """Prints its table; our rate over that of the pipeline's best setting, its own order kept."""
    console, middle = Console(width=120, highlight=False), {name: median(runs) for name, runs in case.runs.items()}
    first = middle[OURS]
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    title = f"{case.model}: {case.count} {case.texts}, {case.tokens:.0f} tokens, {case.spans} spans; load {load}"
    table = Table("", "tasks/s", "ours is", "CPU ms a task", "ours is", "same spans", title=title)
    for name, run in middle.items():
        table.add_row(
            name, f"{case.count / run.wall_s:.1f}", f"{run.wall_s / first.wall_s:.1f} x",
            f"{run.cpu_s / case.count * 1000:.1f}", f"{run.cpu_s / first.cpu_s:.1f} x", f"{case.same[name]:.1%}",
        )  # fmt: skip
    console.print(table)
    best = min((name for name in PEERS if name != SORTED), key=lambda name: middle[name].wall_s)
    for name in dict.fromkeys((DEFAULTS, best)):
        ratio = middle[name].wall_s / first.wall_s
        console.print(f"{'PASS' if ratio >= GOAL else 'MISSED'}: {ratio:.1f} x {name} (goal {GOAL:.0f} x)")
    return middle[best].wall_s / first.wall_s


def main() -> None:
    """Both models, both sets; ends with 1 when the goal is missed for short texts."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("--texts", type=int, default=96, help="short ones, for the larger model")
    asked.add_argument("--repeat", type=int, default=3)
    asked.add_argument("--model", choices=[BASE, SMALL], action="append")
    asked.add_argument("--json", type=Path)
    options = asked.parse_args()
    transformers.logging.set_verbosity_error()
    base = models.ensure(names=("base",)) / models.FOLDERS["base"]
    cases, missed = [], False
    for model in options.model or [SMALL, BASE]:
        count = options.texts * (4 if model == SMALL else 1)
        for kind, made in ((SHORT, short(count, random.Random(SEED))), (LONG, items(count // 16, random.Random(SEED)))):  # noqa: S311
            cases.append(measured(model, kind, made, options.repeat, base))
            missed |= shown(cases[-1]) < GOAL and kind == SHORT
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in cases], indent=1))
    sys.exit(missed)


if __name__ == "__main__":
    main()
