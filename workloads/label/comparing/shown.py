"""A comparison → what the verb says of it: a table for people, plain data for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workloads.label.comparing import result
from workloads.label.params import ALL

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from workloads.label.comparing.result import Comparison
    from workloads.label.workspace import Workspace

MODULE, FILE = "workloads.label.comparing", "compare.html"  # runs in the stages' environment


def show(work: Workspace, why_not: str, page: Path | None, *, as_json: bool) -> None:
    """Print the last comparison; `why_not`: why there is none yet."""
    told = result.comparisons(work)
    if as_json:
        click.echo(told[-1].model_dump_json() if told else "null")
        return
    if not told:
        click.echo(why_not, err=True)
        return
    from rich.console import Console

    Console(highlight=False).print(table(told[-1]))
    if page and page.exists():
        click.echo(f"report: {page}", err=True)


def table(found: Comparison) -> Table:
    """For people: a row a candidate, the best one first."""
    from rich.markup import escape
    from rich.table import Table

    title = f"{found.project}: on {found.documents} documents of test set {found.test_set}"
    told = Table(title=escape(title), title_justify="left")
    for column in ("candidate", "parameters", "examples", "F1", "behind", "by chance"):
        told.add_column(column, justify="left" if column in {"candidate", "F1"} else "right")
    for each in found.entries:
        score = each.scores[ALL]
        last = ("-", "-") if each is found.entries[0] else (f"{each.behind:.3f}", f"{each.chance:.3f}")
        told.add_row(
            escape(each.name), f"{each.parameters:,}", f"{each.examples:,}",
            f"{score.f1:.3f} ({score.low:.3f} to {score.high:.3f})", *last,
        )  # fmt: skip
    return told
