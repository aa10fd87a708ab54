"""`python -m lab.toolchain build [--all]`: build what is missing and say where it is."""

from __future__ import annotations

import click

from lab.progress import Progress
from lab.toolchain import build as building


@click.group()
def verbs() -> None:
    """The programs that the lab builds from pinned Go modules."""


@verbs.command()
@click.option("--all", "everything", is_flag=True, help="what `make up TAILNET=yes` needs too")
def build(*, everything: bool) -> None:
    """Build what is missing."""
    wanted = building.NEEDED + building.TAILNET if everything else building.NEEDED
    with Progress() as progress:
        for name, path in building.ensure(wanted, progress.step).items():
            click.echo(f"{name}  {path}")


if __name__ == "__main__":
    verbs()
