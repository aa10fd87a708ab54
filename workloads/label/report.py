"""A run and its project's records → report.html: one file that loads nothing, for whoever wants to know how it went.

    python -m workloads.label.report RUN --project examples/contracts --site label.json

Runs in the stages' environment, which has a renderer; `spark-node label run` calls it at its end.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from markupsafe import Markup

from workloads.errors import ConfigError, DamagedError, printable
from workloads.label import drawing, flow, rendering, runs
from workloads.label.progress import summary
from workloads.label.records import Evaluation, Promotion, Record, Verdict
from workloads.label.returns.file import FILE as ROI
from workloads.label.returns.file import Roi, Shown
from workloads.label.runs import Run, State
from workloads.label.status import counted, serving

if TYPE_CHECKING:
    from workloads.label.status import Counts
    from workloads.label.workspace import Workspace

TEMPLATE = "run.html.j2"
MOST_ROWS = 20
TONES = {State.DONE: "good", State.FAILED: "bad", State.RUNNING: "warn"}
R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Accepted:
    """How much of what a model marked people left as it was."""

    model: str
    share: float
    n: int


@click.command()
@click.argument("run")
@click.option("--project", type=click.Path(path_type=Path), default=Path())
@click.option("--site", "site_file", type=click.Path(path_type=Path), default=None)
def report(run: str, project: Path, site_file: Path | None) -> None:
    """Write the report of RUN beside its run.json."""
    at = flow.place(project, site_file)
    found = _one(at.work, Run, f"{runs.FOLDER}/{run}/{runs.FILE}")
    if found is None or found.id != run:
        raise ConfigError(f"{printable(run)}: no such run of {at.params.name}")
    at.work.put(f"{runs.FOLDER}/{run}/{runs.REPORT}", page(at.work, found, dt.datetime.now(dt.UTC)).encode())


def page(work: Workspace, run: Run, now: dt.datetime) -> str:
    """The whole page; raises DamagedError where a record is not what it should be."""
    promotions, roi = work.read(Promotion, "promotions.jsonl"), _one(work, Roi, ROI)
    candidate = max((each.name for each in work.path("candidates").glob("[!.]*")), default="")
    evaluation = _one(work, Evaluation, f"candidates/{candidate}/evaluation.json") if candidate else None
    counts = counted(work)
    return rendering.page(
        TEMPLATE,
        run=run, state=state(run), tones=TONES, now=now, folder=str(work.folder), summary=summary,
        counts=counts, promotions=promotions, serving=serving(promotions), most=MOST_ROWS,
        roi=roi, accepted=accepted(roi.shown) if roi else None, evaluation=evaluation,
        verdict=_one(work, Verdict, f"candidates/{candidate}/verdict.json") if candidate else None,
        plots={name: Markup(svg) for name, svg in plots(run, roi, evaluation, counts).items()},  # noqa: S704  (ours)
    )  # fmt: skip


def plots(run: Run, roi: Roi | None, evaluation: Evaluation | None, counts: Counts) -> dict[str, str]:
    """Those for which there is anything to show; an empty text for the others. Pure."""
    return {
        "stages": stages(run),
        "shown": shown(roi.shown) if roi else "",
        "labels": labels(evaluation) if evaluation else "",
        "months": months(roi) if roi and roi.backlog.months else "",
        "documents": documents(counts) if counts.found else "",
    }


def stages(run: Run) -> str:
    """When each stage of this run worked; what an earlier try did lies to the left."""
    first = min((step.began_at for step in run.steps), default=run.began_at)
    rows = [
        (step.stage, (step.began_at - first).total_seconds(), step.seconds, f"{step.seconds:.1f} s")
        for step in run.steps
    ]
    return drawing.spans(rows, "When each stage worked") if rows else ""


def shown(models: list[Shown]) -> str:
    """Accepted, edited, rejected and skipped by model."""
    rows = [(each.model, (each.accepted, each.edited, each.rejected, each.skipped)) for each in models]
    series = ("accepted", "edited", "rejected", "skipped")
    return drawing.shares(rows, series, "What people made of its suggestions, by model") if rows else ""


def accepted(models: list[Shown]) -> Accepted | None:
    """Of the newest model that anybody has said anything about."""
    for each in reversed(models):
        if n := each.accepted + each.edited + each.rejected:
            return Accepted(each.model, each.accepted / n, n)
    return None


def labels(evaluation: Evaluation) -> str:
    """F1 by label, the candidate beside the model that serves; the rarest labels last."""
    series = ["candidate", *([evaluation.serving] if evaluation.incumbent and evaluation.serving else [])]
    sides = [evaluation.candidate, *([evaluation.incumbent] if evaluation.incumbent else [])]
    names = sorted(evaluation.candidate, key=lambda name: (-evaluation.candidate[name].entities, name))
    rows = []
    for name in names:
        found = [(number, side[name]) for number, side in enumerate(sides, 1) if name in side]
        ranges = [drawing.Range(number, score.f1, score.low, score.high) for number, score in found]
        rows.append((name, ranges, evaluation.candidate[name].entities))
    return drawing.intervals(rows, series, "F1 of whole entities by label")


def months(roi: Roi) -> str:
    """What was done and what was left, month by month."""
    rows = [(each.month, (each.handled, 0, 0, each.open)) for each in roi.backlog.months]
    return drawing.shares(rows, ("reviewed", "", "", "left open"), "Items reviewed and left open by month")


def documents(counts: Counts) -> str:
    """How many became text."""
    waiting = max(counts.found - counts.converted - len(counts.aside), 0)
    rows = [("documents", (counts.converted, 0, len(counts.aside), waiting))]
    return drawing.shares(rows, ("converted", "", "set aside", "not yet"), "What became of the documents")


def state(run: Run) -> tuple[str, str]:
    """How it stands, in a tone and some words."""
    if run.failed:
        return "bad", f"stopped at {run.failed.stage}"
    return ("good", "done") if run.ended_at else ("warn", "not at its end")


def _one(work: Workspace, kind: type[R], name: str) -> R | None:
    """A record in a file of its own; None where there is none, or one of another version."""
    with suppress(OSError, DamagedError):
        return work.one(kind, name)
    return None


if __name__ == "__main__":
    report()
