"""`spark reset HOST`: a host as it was before the first apply, after a look at what goes and what stays."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from sparkfleet.errors import OK, ResetError

if TYPE_CHECKING:
    from rich.console import Console

    from sparkfleet.cli import Project
    from sparkfleet.host.reset import Done, Plan

MOST_SHOWN = 12  # names of a kind


@click.command()
@click.argument("host")
@click.option("--check", is_flag=True, help="Say what would go and what stays; change nothing.")
@click.option("--yes", metavar="HOST", help="The host's name once more; nothing is asked then.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; what happens meanwhile: on stderr.")
@click.pass_obj
def reset(project: Project, host: str, *, check: bool, yes: str | None, as_json: bool) -> int:
    """Make HOST what it was before the first `pulumi up`: exactly what sparkfleet added goes.

    Files that were replaced come back as they were, packages that were installed go with what they brought, and units,
    accounts and kernel settings stand as before. Data stays: the datasets, people's homes with files in them, whatever
    was put aside. The automation user still logs in, so `pulumi up` can take the host in again.

    \b
    Example:
      spark reset spark-01 --check
      spark reset spark-01 --yes spark-01
    """  # noqa: D301
    from rich.console import Console

    from sparkfleet.host import reset as resetting
    from sparkfleet.host.connection import Target

    fleet = project.fleet()
    project.hosts((host,))
    target = Target.of(fleet, host)
    people = Console(stderr=as_json, highlight=False, soft_wrap=True)
    if not check:
        resetting.beside_the_tailnet(target)
    plan = resetting.look(target)
    show_plan(plan, people)
    if check or not plan.applied:
        if as_json:
            click.echo(json.dumps(plan.as_dict(), indent=2))
        return OK
    if yes is None and sys.stdin.isatty():
        yes = click.prompt(f"Type {host} to go on", err=True)
    if yes != host:
        raise ResetError(
            f"{host} was not confirmed; nothing was touched.", next_step=f"give its name again: --yes {host}."
        )
    done = resetting.reset(fleet, target, say=lambda line: people.print(line, style="dim", markup=False))
    if as_json:
        click.echo(json.dumps({**done.as_dict(), "plan": plan.as_dict()}, indent=2))
    else:
        show(done, people)
    return OK


def show_plan(plan: Plan, console: Console) -> None:
    """What goes, by kind, then what stays."""
    if not plan.applied:
        console.print(f"{plan.host} was never brought to a description: there is nothing to take back.", markup=False)
        return
    console.print(f"\n[bold]{plan.host}[/bold] becomes what it was before the first apply:")
    for what, names in plan.takes_back.items():
        console.print(f"  {what} ({len(names)}): {_some(names)}", markup=False)
    console.print(f"  [bold]stays[/bold]: the automation user's way in, people's files, {_some(plan.keeps)}")


def show(done: Done, console: Console) -> None:
    """What was left, which people want to read; the rest in a number."""
    console.print(f"\n[bold]{done.host}[/bold] is what it was before the first apply", style="green")
    for what, why in done.left.items():
        console.print(f"  left: {what}: {why}", markup=False)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    return " ".join(names[:MOST_SHOWN]) + more
