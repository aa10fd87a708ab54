"""A version's number → Calypso serves it again, on the word of a person; what it served is never promoted again.

spark-node label rollback --project examples/contracts --to 3 (starts this, with the Python of the stages)
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from workloads.errors import ConfigError, NodeError
from workloads.label import flow
from workloads.label.promoting import steps, turn
from workloads.label.promoting.repository import Repository
from workloads.label.promoting.server import Server
from workloads.label.promoting.steps import Limits, Way


@click.command()
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="The folder with project.toml.")
@click.option("--site", "site_file", type=click.Path(path_type=Path), default=None, help="Where the services are.")
@click.option("--to", "wanted", type=click.IntRange(1), required=True, help="The version that shall serve.")
def back(project: Path, site_file: Path | None, wanted: int) -> None:
    """Let an older version of a project's model serve again."""
    try:
        at = flow.place(project, site_file)
        if at.site.models is None or at.site.calypso is None:
            raise ConfigError("the site names no model repository, or no Calypso")
        repository, server = Repository(at.site.models, at.params.name), Server(at.site.calypso)
        with turn.taken(repository, "by hand") as held:
            revert(Way(repository, server, held, Limits(latency_ms=at.params.gate.latency_ms)), wanted)
    except NodeError as error:
        click.echo(f"{error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"{at.params.name}:{wanted} serves")


def revert(way: Way, wanted: int) -> None:
    """Serve `wanted`; the turn says that what served was rolled back. Raises ConfigError, StoreError, ServiceError."""
    if way.held.turn.step in turn.OPEN:
        steps.end(way)
        raise ConfigError(
            f"a promotion had died half-way; now {way.model}:{way.repository.serving()} serves",
            next_step="look whether that is what you want; otherwise run this again.",
        )
    now = way.repository.serving()
    if now is None or now == wanted or way.repository.manifest(wanted) is None:
        raise ConfigError(
            f"{way.model}:{now} serves; version {wanted} cannot take its place",
            usually="it serves already, or there is no such version",
        )
    run = way.repository.card(now).run
    way.held.note(turn.Step.BACK, run=run, version=now, before=wanted, detail=f"a person asked for version {wanted}")
    steps.end(way)


if __name__ == "__main__":
    back()
