"""`spark plan`: observe hosts → the changes that would make them as described; nothing is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sparkfleet import errors

if TYPE_CHECKING:
    from sparkfleet.cli import Project
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
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for host in found:
        if host.error:
            console.print(Text(f"{host.host}: not observed", style="red"))
            continue
        word = "as described" if not host.changes else f"{len(host.changes)} to change"
        console.print(Text(f"{host.host}  {word}", style="bold green" if not host.changes else "bold yellow"))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(host.changes))
        for title in ("", "setting", "is", "described", "role", "why"):
            table.add_column(title, overflow="fold")
        for change in host.changes:
            sign = "+" if change.before is None else "-" if change.after is None else "~"
            why = change.reason + (" (may cut connections)" if change.disruptive else "")
            table.add_row(sign, change.key, change.before or "", change.after or "", str(change.role or ""), why)
        if host.changes:
            console.print(table)
        for check in host.checks:
            mark = {"ok": "[green]ok[/]", "unknown": "[yellow]unknown[/]"}.get(check.verdict, "[red]differs[/]")
            console.print(f"   check {check.name}: {mark}  {check.detail}")
