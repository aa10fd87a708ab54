"""Our records ↔ Label Studio's JSON: tasks and predictions out, reviews of an export in. Pure.

Offsets are code points on both sides: `end` is exclusive, and Label Studio's page counts as Python does (proved in
Chromium, astral characters included, by tests/workloads/label/lab/test_drill_shown.py).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workloads.label.records import Review, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workloads.label.records import Item, Prediction
    from workloads.label.reviewing.labelling import Labelling

Json = dict[str, Any]


def task(item: Item, document: str, prediction: Prediction | None, labelling: Labelling) -> Json:
    """An item as an import takes it. `document` is shown to people: where the text is from.

    The arm is not told: who knows that an item judges the model may look at it with other eyes.
    """
    form: Json = {"data": {"text": item.text, "document": document, "part": item.part, "item": item.id}}
    if prediction:
        form["predictions"] = [predicted(item, prediction, labelling)]
    return form


def predicted(item: Item, prediction: Prediction, labelling: Labelling) -> Json:
    """A prediction, for a task or on its own; its score orders tasks in the Data Manager."""
    return {
        "model_version": prediction.model,
        "score": prediction.certainty,
        "result": [stretch(item.text, span, labelling, f"s{n}") for n, span in enumerate(prediction.spans)],
    }


def stretch(text: str, span: Span, labelling: Labelling, name: str) -> Json:
    """One marked stretch of a text."""
    value = {"start": span.start, "end": span.end, "text": text[span.start : span.end], "labels": [span.label]}
    form = {"id": name, "from_name": labelling.control, "to_name": labelling.shown, "type": "labels", "value": value}
    return form if span.score is None else {**form, "score": span.score}


@dataclass
class Read:
    """What an export says, as far as it is about our items; `left_out` counts the rest by reason."""

    reviews: list[Review] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def reviews(
    export: Iterable[Json],
    items: Mapping[str, Item],
    labels: Iterable[str],
    labelling: Labelling,
    shown: Mapping[int, Json],
) -> Read:
    """Every annotation of every item, by time. `shown`: predictions by number, for `misattributed` ones."""
    found, known = Read(), frozenset(labels)
    for entry in export:
        item = items.get(str(entry["data"].get("item")))
        if item is None:
            found.left_out["tasks that are not ours"] += 1
        elif entry["data"].get("text") != item.text:
            found.left_out["tasks whose text was changed"] += 1
        else:
            for annotation in entry["annotations"]:
                found.reviews.append(_review(annotation, int(entry["id"]), item, known, labelling, shown, found))
    found.reviews.sort(key=lambda review: (review.at, review.annotation))
    return found


def misattributed(export: Iterable[Json]) -> set[int]:
    """Predictions that people had on their screens when a newer model's took their place.

    Label Studio freezes into an annotation the prediction of the project's model at the time of saving (1.23,
    AnnotationsListAPI.perform_create); what the page was opened with is the parent.
    """
    return {
        annotation["parent_prediction"]
        for entry in export
        for annotation in entry["annotations"]
        if annotation.get("parent_prediction") not in (None, (annotation.get("prediction") or {}).get("id"))
    }


def _review(  # noqa: PLR0913, PLR0917
    annotation: Json,
    number: int,
    item: Item,
    labels: frozenset[str],
    labelling: Labelling,
    parents: Mapping[int, Json],
    found: Read,
) -> Review:
    frozen = annotation.get("prediction") or None
    parent = parents.get(annotation.get("parent_prediction") or 0)
    # The parent is sent by the page and taken unchecked: another task's does not count.
    if parent and parent["task"] == number:
        frozen = parent
    spans = _spans(annotation["result"] or [], item.text, labels, labelling, found)
    seen = None if frozen is None else _spans(frozen["result"] or [], item.text, labels, labelling, None)
    by = annotation["completed_by"]
    return Review(
        item=item.id,
        task=number,
        annotation=annotation["id"],
        reviewer=by["id"] if isinstance(by, dict) else by,
        spans=[] if annotation["was_cancelled"] else [span.model_copy(update={"score": None}) for span in spans],
        shown=seen,
        model=frozen["model_version"] if frozen else None,
        skipped=annotation["was_cancelled"],
        lead_time_s=annotation["lead_time"],
        at=dt.datetime.fromisoformat(annotation["updated_at"]),
    )


def _spans(
    result: Iterable[Json], text: str, labels: frozenset[str], labelling: Labelling, found: Read | None
) -> list[Span]:
    """The stretches that our labels mark, each once, without the blanks that a hasty mouse takes along."""
    spans: dict[tuple[int, int, str], Span] = {}
    for form in result:
        if form.get("type") != "labels" or form.get("from_name") != labelling.control:
            continue
        value = form["value"]
        start, end, named = value["start"], value["end"], value.get("labels") or []
        if not (0 <= start < end <= len(text)) or len(named) != 1 or named[0] not in labels:
            if found is not None:
                found.left_out["marks that fit no label or text"] += 1
            continue
        inner = text[start:end].strip()
        start += len(text[start:end]) - len(text[start:end].lstrip())
        if inner:
            key = (start, start + len(inner), named[0])
            spans[key] = Span(start=key[0], end=key[1], label=key[2], score=form.get("score"))
    return [spans[key] for key in sorted(spans)]
