"""A project with [campaign] → what its next turn would do, in words; or, after a run, its page.

    python -m workloads.label.campaigning --project examples/contracts          what would be next; nothing is done
    python -m workloads.label.campaigning RUN --project examples/contracts      campaign.html beside RUN's run.json

spark-node label campaign starts both, with the Python of the stages. Points that were asked for on the way are kept.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter
from pathlib import Path

import click

from workloads.errors import NodeError
from workloads.label import flow, runs
from workloads.label.campaigning import page, shown, state, turn
from workloads.label.stages import Context


@click.command()
@click.argument("run", default="")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="The folder with project.toml.")
@click.option("--site", "site_file", type=click.Path(path_type=Path), default=None, help="Where the services are.")
def look(run: str, project: Path, site_file: Path | None) -> None:
    """Tell what the next turn of a campaign would do, or write the page of RUN."""
    try:
        at = flow.place(project, site_file)
        if run:
            found = page.made(at.params, state.look(at.work, at.params), dt.datetime.now(dt.UTC))
            at.work.put(f"{runs.FOLDER}/{run}/{shown.FILE}", found.encode())
            return
        with flow.held(at, "campaign"):
            click.echo(told(Context(at.params, at.site, at.work, "", lambda *_: None)))
    except NodeError as error:
        click.echo(f"{error}", err=True)
        sys.exit(error.exit_code)


def told(context: Context) -> str:
    """What would be next, in a line."""
    found, picks, _ = turn.planned(context)
    if found.over:
        return f"over: {found.over}"
    if not picks:
        return f"{len(found.waiting)} items wait for people; nothing is chosen before most of them are done"
    arms = Counter(pick.how for pick in picks)
    return f"round {len(found.rounds) + 1}: " + ", ".join(f"{count} {how}" for how, count in arms.items())


if __name__ == "__main__":
    look()
