"""`spark plan`: observe hosts → the changes that would make them as described; nothing is changed."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from sparkfleet import errors

if TYPE_CHECKING:
    from rich.console import Console

    from sparkfleet.cli import Project
    from sparkfleet.host.plan import Change
    from sparkfleet.host.survey import Finding


@click.command()
@click.argument("hosts", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--detailed-exitcode", is_flag=True, help=f"Exit {errors.DIFFERS} when something differs.")
@click.pass_obj
def plan(project: Project, hosts: tuple[str, ...], *, as_json: bool, detailed_exitcode: bool) -> int:
    """Show what differs between HOSTS (default: all) and their description.

    The same list that `pulumi preview --diff` shows, but against the live hosts. Nothing is changed.

    \b
    Example: spark plan spark-01 --json
    """  # noqa: D301
    from sparkfleet.host.survey import findings

    found = findings(project.fleet(), project.hosts(hosts))
    if as_json:
        click.echo(json.dumps({f.host: f.as_dict() for f in found}, indent=2))
    else:
        _show(found)
    silent = [f.error for f in found if f.error]
    if silent:
        if not as_json:
            click.echo("\n".join(f"spark: {error}" for error in silent), err=True)
        return silent[0].exit_code
    differs = any(f.changes for f in found)
    return errors.DIFFERS if differs and detailed_exitcode else errors.OK


def _show(found: list[Finding]) -> None:
    """Host by host, role by role: one line for the setting and why, one for what it is and what is described."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for host in found:
        if host.error:
            console.print(f"[bold]{host.host}[/]  [red]not observed[/]")
            continue
        verdict = f"[yellow]{len(host.changes)} to change[/]" if host.changes else "[green]as described[/]"
        console.print(f"[bold]{host.host}[/]  {verdict}")
        for role, changes in groupby(host.changes, key=lambda change: change.role):
            console.print(f"  {role}", style="bold")
            for change in changes:
                _show_change(console, change)
        for check in host.checks:
            colour = {"ok": "green", "differs": "red"}.get(check.verdict, "yellow")
            mark = f"[{colour}]{check.verdict}[/]"
            console.print(f"  check {check.name}: {mark}  {escape(check.detail)}")


def _show_change(console: Console, change: Change) -> None:
    sign, colour = (
        ("+", "green") if change.before is None else ("-", "red") if change.after is None else ("~", "yellow")
    )
    warning = "  [red]may cut connections[/]" if change.disruptive else ""
    console.print(f"    [{colour}]{sign} {escape(change.key)}[/]  [dim]{change.reason}[/]{warning}")
    if change.before is not None and change.after is not None:
        console.print(f"        {escape(change.before)}  →  {escape(change.after)}")
    else:
        console.print(f"        {escape(change.before or change.after or '')}")
