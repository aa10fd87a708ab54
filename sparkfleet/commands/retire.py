"""`spark retire HOST`: every identity of a host revoked, and what is left to do in words."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from sparkfleet.errors import RotationError

if TYPE_CHECKING:
    from sparkfleet.cli import Project


@click.command()
@click.argument("host")
@click.option("--yes", metavar="HOST", help="The host's name once more; nothing is asked then.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; what happens meanwhile: on stderr.")
@click.pass_obj
def retire(project: Project, host: str, yes: str | None, *, as_json: bool) -> None:
    """Revoke every identity of HOST, which is sold, stolen or given away; it may be off.

    Its object-store user goes, its place in the tailnet, all keys that log in to it (when it can be reached), and its
    host key is never trusted again. The machine's disk is not wiped. Under a new host key it can be adopted again.

    \b
    Example: spark retire spark-07 --yes spark-07
    """  # noqa: D301
    from rich.console import Console

    from sparkfleet.rotate import retire as retiring

    fleet = project.fleet()
    project.hosts((host,))
    if yes is None and sys.stdin.isatty():
        yes = click.prompt(f"This cannot be taken back. Type {host} to go on", err=True)
    if yes != host:
        raise RotationError(
            f"{host} was not confirmed; nothing was touched.", next_step=f"give its name again: --yes {host}."
        )
    people = Console(stderr=as_json, highlight=False, soft_wrap=True)
    left = retiring.retire(fleet, host, lambda line: people.print(line, style="dim", markup=False))
    if as_json:
        click.echo(json.dumps({"fleet": fleet.fleet, "host": host, "left": left}, indent=2))
        return
    people.print(f"\n[bold]{host}[/bold] is retired. What is left for you:", style="yellow")
    for sentence in left:
        people.print(f"  - {sentence}", markup=False)
