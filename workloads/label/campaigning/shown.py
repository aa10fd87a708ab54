"""How a campaign stands → what the verb says of it: a table for people, plain data for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from workloads.errors import ConfigError
from workloads.label.campaigning import spending, state, stopping

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

    from workloads.label.campaigning.state import State
    from workloads.label.params import Params
    from workloads.label.records import Score
    from workloads.label.workspace import Workspace

MODULE, FILE = "workloads.label.campaigning", "campaign.html"  # runs in the stages' environment


def check(params: Params) -> None:
    """Raises ConfigError where the project has no campaign."""
    if params.campaign is None:
        raise ConfigError(
            f"{params.name} has no campaign",
            next_step="add a section [campaign] to project.toml: see docs/guides/campaigns.md.",
        )


def show(work: Workspace, params: Params, page: Path | None, *, as_json: bool) -> None:
    """Print it."""
    found = state.look(work, params)
    if as_json:
        click.echo(json.dumps(plain(found, params)))
        return
    from rich.console import Console

    Console(highlight=False).print(table(found, params))
    click.echo(f"over: {found.over}" if found.over else f"{len(found.waiting)} items wait for people", err=True)
    if page:
        click.echo(f"report: {page}", err=True)


def plain(found: State, params: Params) -> dict[str, object]:
    """For `--json`."""
    assert params.campaign  # noqa: S101  (see check)
    return {
        "over": found.over or None,
        "waiting": len(found.waiting),
        "minutes": round(found.spent.total, 2),
        "budget_minutes": params.campaign.budget_minutes,
        "items_left_in_budget": spending.room(found.spent, params.campaign, len(found.waiting)),
        "judged_on": stopping.measured(found.points, params.gate.least_documents)[0],
        "rounds": [each.model_dump(mode="json") for each in found.rounds],
        "points": [each.model_dump(mode="json") for each in found.points],
    }


def table(found: State, params: Params) -> Table:
    """For people: a row a round, no wider than a terminal."""
    from rich.markup import escape
    from rich.table import Table

    told = Table(title=escape(f"{params.name}: campaign"), title_justify="left")
    for column in ("round", "items", "minutes"):
        told.add_column(column, justify="right")
    for kind in ("held-out", "drawn"):  # F1, its 95 % interval, and how many documents
        told.add_column(f"F1 {kind}, n")
    for each in found.points:
        told.add_row(
            str(each.round or "before"), f"{each.learned:,}", f"{each.minutes:.0f}",
            _score(each.held_out, each.held_out_documents), _score(each.drawn, each.drawn_documents),
        )  # fmt: skip
    return told


def _score(of: Score | None, documents: int) -> str:
    return f"{of.f1:.3f} ({of.low:.2f}-{of.high:.2f}), {documents}" if of else "-"
