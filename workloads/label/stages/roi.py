"""The records of a project → roi.json, which the exporter serves. Reads only; written anew each time."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING

from workloads.errors import DamagedError
from workloads.label.learning import candidates
from workloads.label.learning.examples import Learned
from workloads.label.records import Converted, Document, Evaluation, Item, Promotion, Published, Quarantined, Review
from workloads.label.returns.delivery import serving
from workloads.label.returns.figures import Known, figures
from workloads.label.returns.file import FILE

if TYPE_CHECKING:
    from workloads.label.stages import Context, Report
    from workloads.label.workspace import Workspace


def run(context: Context) -> Report:
    """Put the figures down, and say the first of them."""
    roi = figures(context.params, known(context.work), dt.datetime.now(dt.UTC))
    context.work.put(FILE, roi.model_dump_json(indent=1).encode())
    return {
        "reviews": sum(times.reviews for times in roi.groups.values()),
        "open": roi.backlog.open,
        "speedup": round(roi.comparison.speedup, 2) if roi.comparison else None,
        "waiting": roi.waiting.reviews if roi.waiting else None,
        "last_model_latency_hours": round(roi.deliveries[-1].seconds / 3600, 2) if roi.deliveries else None,
        "seconds_per_item": round(roi.cost.seconds, 1) if roi.cost else None,
    }


def known(work: Workspace) -> Known:
    """All that the figures are made from; raises DamagedError that names the file."""
    promotions = work.read(Promotion, "promotions.jsonl")
    serves = serving(promotions)
    documents = work.read(Document, "documents.jsonl")
    found = {each.id for each in documents}  # a file whose name is no text is set aside without being a document
    return Known(
        documents=documents,
        converted=len(work.read(Converted, "converted.jsonl")),
        quarantined=sum(each.document in found for each in work.read(Quarantined, "quarantine.jsonl")),
        items=work.read(Item, "items.jsonl"),
        published=work.read(Published, "published.jsonl"),
        reviews=work.read(Review, "reviews.jsonl"),
        promotions=promotions,
        evaluation=evaluation(work, serves.run) if serves else None,
        learned=learned(work, serves.run) if serves else (),
    )


def evaluation(work: Workspace, run: str) -> Evaluation | None:
    """Of the candidate that serves; None when it is gone, or was made elsewhere."""
    with suppress(OSError, DamagedError):
        return work.one(Evaluation, f"{candidates.FOLDER}/{run}/{candidates.EVALUATION}")
    return None


def learned(work: Workspace, run: str) -> list[Learned] | None:
    """What its model was made of; None when that is gone, or it was made elsewhere."""
    name = f"{candidates.FOLDER}/{run}/{candidates.TRAINING}"
    return work.read(Learned, name) if work.path(name).exists() else None
