"""A project's folder → how far it is: documents, items, reviews, what serves, the last runs; no server is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workloads.label import records, runs
from workloads.label.keeping import record
from workloads.label.progress import MARKS, summary
from workloads.label.recurring import shown
from workloads.label.returns.delivery import served

if TYPE_CHECKING:
    from rich.table import Table

    from workloads.label.flow import Place
    from workloads.label.workspace import Workspace

SHOWN_RUNS = 5


@dataclass(frozen=True)
class Counts:
    """What its records hold, of all runs."""

    found: int
    converted: int
    aside: list[records.Quarantined]  # documents that nothing has converted since, the last reason of each
    arms: Counter[records.Arm]  # items cut
    published: int
    reviewed: int


@dataclass(frozen=True)
class Status:
    """Counts by name, in the order in which they are shown."""

    project: str
    folder: str
    busy: bool
    documents: dict[str, int]
    items: dict[str, int]
    quarantine: dict[str, int]  # by reason
    serving: str | None
    promotions: list[records.Promotion]
    runs: list[runs.Run]
    recurring: list[shown.Row]
    kept: record.Kept | None

    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        lists = {
            name: [each.model_dump(mode="json") for each in getattr(self, name)] for name in ("promotions", "runs")
        }
        return {
            **vars(self), **lists, "recurring": [row.plain() for row in self.recurring],
            "kept": self.kept.plain() if self.kept else None,
        }  # fmt: skip


def look(at: Place) -> Status:
    """Read it; raises DamagedError where a file is not what it should be."""
    work, counts = at.work, counted(at.work)
    promotions = work.read(records.Promotion, "promotions.jsonl")
    return Status(
        project=at.params.name,
        folder=str(work.folder),
        busy=work.busy(),
        documents={"found": counts.found, "converted": counts.converted, "in quarantine": len(counts.aside)},
        items={
            "cut": counts.arms.total(),
            **{f"of them {arm}": count for arm, count in sorted(counts.arms.items())},
            "in Label Studio": counts.published,
            "reviewed": counts.reviewed,
        },
        quarantine=dict(sorted(Counter(str(each.why) for each in counts.aside).items())),
        serving=serving(promotions),
        promotions=promotions,
        runs=runs.read(work, most=SHOWN_RUNS),
        recurring=shown.rows(at.site.recurring, at.params.name, work),
        kept=record.read(work),
    )


def counted(work: Workspace) -> Counts:
    """Read them; raises DamagedError where a file is not what it should be."""
    converted = {each.document for each in work.read(records.Converted, "converted.jsonl")}
    set_aside = {each.document: each for each in work.read(records.Quarantined, "quarantine.jsonl")}
    return Counts(
        found=len(work.read(records.Document, "documents.jsonl")),
        converted=len(converted),
        aside=[each for document, each in set_aside.items() if document not in converted],
        arms=Counter(item.arm for item in work.read(records.Item, "items.jsonl")),
        published=len({each.item for each in work.read(records.Published, "published.jsonl")}),
        reviewed=len({each.item for each in work.read(records.Review, "reviews.jsonl") if not each.skipped}),
    )


def serving(promotions: list[records.Promotion]) -> str | None:
    """Pure: name and version of what the last promotions left, "contracts:3"."""
    last = served(promotions)
    return f"{last[0]}:{last[1]}" if last else None


def tables(status: Status) -> list[Table | str]:
    """For people."""
    from rich.markup import escape
    from rich.table import Table

    head = Table(title=escape(status.project), title_justify="left", show_header=False)
    for name, counts in (("documents", status.documents), ("items", status.items), ("quarantine", status.quarantine)):
        head.add_row(name, ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "-")
    head.add_row("serving", status.serving or "nothing yet")
    head.add_row("folder", escape(status.folder))
    if status.kept:
        head.add_row("kept", escape(status.kept.shown()))
    last = Table(title="runs", title_justify="left")
    for column in ("run", "stage", "", "what it did", "seconds"):
        last.add_column(column, justify="right" if column == "seconds" else "left")
    for run in status.runs:
        ending = "" if run.ended_at else "under way" if status.busy and run is status.runs[0] else "not at its end"
        for step in run.steps:
            told = escape(summary(step))
            last.add_row(
                run.id if step is run.steps[0] else "", step.stage, MARKS[step.state], told, f"{step.seconds:.1f}"
            )
        last.add_row("" if run.steps else run.id, ending, end_section=True)
    return [head, last, *([shown.table(status.recurring)] if status.recurring else [])]
