"""A run that compared → compare.html beside its run.json; `spark-node label compare` starts it at its end.

python -m workloads.label.comparing RUN --project examples/contracts
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import click

from workloads.errors import NodeError
from workloads.label import flow, runs
from workloads.label.comparing import page, shown
from workloads.label.comparing.result import comparisons


@click.command()
@click.argument("run")
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="The folder with project.toml.")
@click.option("--site", "site_file", type=click.Path(path_type=Path), default=None, help="Where the services are.")
def report(run: str, project: Path, site_file: Path | None) -> None:
    """Write the page of RUN, if anything was compared yet."""
    try:
        at = flow.place(project, site_file)
        if told := comparisons(at.work):
            made = page.made(at.params, told, dt.datetime.now(dt.UTC))
            at.work.put(f"{runs.FOLDER}/{run}/{shown.FILE}", made.encode())
    except NodeError as error:
        click.echo(f"{error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    report()
