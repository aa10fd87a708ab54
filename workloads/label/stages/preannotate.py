"""Converted texts → items, and what the model that serves says of those that are shown with help.

Held-out and blank-control items get no prediction, nor does what was reviewed already. When another model serves, all
that wait for a person are predicted anew. What is written is on the disk every some hundred items.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from typing import TYPE_CHECKING

from workloads.label.arms import arm
from workloads.label.items import items
from workloads.label.learning import serving
from workloads.label.learning.model import Model
from workloads.label.records import Arm, Converted, Document, Item, Prediction, Review

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from workloads.label.learning.decode import Said
    from workloads.label.learning.serving import Serving
    from workloads.label.stages import Context, Report
    from workloads.label.workspace import Workspace

ITEMS, PREDICTIONS = "items.jsonl", "predictions.jsonl"
AT_ONCE = 256  # items; sorted by length before they are batched, so more of them are padded less


def run(context: Context, shared: Callable[[Context, Serving, list[Item]], Report] | None = None) -> Report:
    """Cut, draw, predict. Raises DamagedError for a model that is not its card's, and what the repository raises.

    `shared` predicts in the place of this machine alone.
    """
    began = time.monotonic()
    every = context.work.read(Item, ITEMS)
    new = cut(context, every)
    every += new
    arms = Counter(item.arm for item in every)
    report: Report = {
        "new_items": len(new),
        "items": len(every),
        **{each.value: arms[each] for each in Arm},
    }
    model = serving.served(context)
    report["model"] = model.name if model else "nothing serves yet: items are shown blank"
    if model:
        report |= (shared or predict)(context, model, waiting(context.work, every, model))
    return {**report, "seconds": round(time.monotonic() - began, 3)}


def cut(context: Context, there: list[Item]) -> list[Item]:
    """Make items of documents that have none yet; returns those, `there` are the others."""
    work, params = context.work, context.params
    known: dict[str, list[str]] = {}
    for item in there:
        known.setdefault(item.document, []).append(item.id)
    # A run that was killed may have written some of a document's items: of the last one, as they come in order.
    last = next(reversed(known), None)
    texts = {each.document: each for each in work.read(Converted, "converted.jsonl")}
    left = [each for each in texts.values() if each.document not in known or each.document == last]
    made: list[Item] = []
    for number, each in enumerate(left, 1):
        drawn = arm(params.name, each.document, params.publish.test_share, params.publish.control_share)
        text = work.path(each.text).read_bytes().decode(errors="replace")
        found = items(each.document, text, drawn, params.preannotate.item_characters)
        begun = known.get(each.document, [])
        if [item.id for item in found[: len(begun)]] == begun:  # otherwise it was cut in another way, and stays so
            work.append(ITEMS, found[len(begun) :])
            made += found[len(begun) :]
        context.tell(number, len(left), "documents cut")
    return made


def waiting(work: Workspace, every: Iterable[Item], model: Serving) -> list[Item]:
    """Assisted items that nobody has reviewed and that this model has not seen, the shorter ones first."""
    reviewed = {review.item for review in work.read(Review, "reviews.jsonl")}
    last = {each.item: (each.model, each.run) for each in work.read(Prediction, PREDICTIONS)}
    left = [
        each for each in every
        if each.arm is Arm.ASSISTED and each.id not in reviewed and last.get(each.id) != (model.name, model.run)
    ]  # fmt: skip
    return sorted(left, key=lambda item: len(item.text))


def predict(context: Context, model: Serving, left: list[Item]) -> Report:
    """Let the model say what it can of each item."""
    if not left:
        return {"predicted": 0}
    work, settings = context.work, context.params.preannotate
    network = Model(model.folder, settings.overlap_tokens)
    source = {each.id: each.source for each in work.read(Document, "documents.jsonl")}
    began, spans = time.monotonic(), 0
    for start in range(0, len(left), AT_ONCE):
        some = left[start : start + AT_ONCE]
        said = network.say([item.text for item in some], settings.batch)

        def prediction(item: Item, told: Said) -> Prediction:
            return Prediction(
                item=item.id, model=model.name, run=network.card.run, tokenizer_sha256=network.card.tokenizer_sha256,
                source=source.get(item.document, ""), certainty=told.certainty, at=dt.datetime.now(dt.UTC),
                spans=[span for span in told.spans if (span.score or 0) >= settings.least_score],
            )  # fmt: skip

        made = [prediction(item, told) for item, told in zip(some, said, strict=True)]
        work.append(PREDICTIONS, made)
        spans += sum(len(each.spans) for each in made)
        context.tell(start + len(some), len(left), "items predicted")
    seconds = time.monotonic() - began
    return {"predicted": len(left), "spans": spans, "items_s": round(len(left) / seconds, 1)}
