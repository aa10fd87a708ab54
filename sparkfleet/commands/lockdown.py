"""`spark lockdown`: every way into hosts closed but the tailnet, one host after the other, each one proven."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sparkfleet.errors import OK, SparkfleetError

if TYPE_CHECKING:
    from rich.console import Console

    from sparkfleet.cli import Project
    from sparkfleet.host.lockdown import Lockdown


@click.command()
@click.argument("hosts", nargs=-1)
@click.option("--check", is_flag=True, help="Look at the preconditions alone; change nothing.")
@click.option("--keep-going", is_flag=True, help="Go on with the next host when one fails.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; what happens meanwhile: on stderr.")
@click.pass_obj
def lockdown(project: Project, hosts: tuple[str, ...], *, check: bool, keep_going: bool, as_json: bool) -> int:
    """Close every way into HOSTS (default: all) but their tailnet, and prove that it is one.

    Each host saves how it is entered and starts a timer. Then the firewall and sshd become as described, a new
    connection over the tailnet proves that the host can still be entered, and only then the timer is stopped. If
    anything fails, also this command or its machine, the host puts its old state back by itself.

    Needs access.tailnet_only: true; `pulumi up` then does the same. Safe to repeat.

    \b
    Example:
      spark lockdown --check
      spark lockdown spark-01
    """  # noqa: D301
    from rich.console import Console

    from sparkfleet.host.lockdown import lockdown as close

    fleet, people = project.fleet(), Console(stderr=as_json, highlight=False, soft_wrap=True)
    done: list[Lockdown] = []
    failed: dict[str, SparkfleetError] = {}  # by host
    for name in project.hosts(hosts):
        try:
            done.append(close(fleet, name, check=check, say=lambda line: people.print(line, style="dim", markup=False)))
        except SparkfleetError as error:
            failed[name] = error
            if not keep_going:
                break
    if as_json:
        words = {name: str(fault) for name, fault in failed.items()}
        click.echo(json.dumps({"hosts": [one.as_dict() for one in done], "failed": words}, indent=2))
    else:
        for one in done:
            show(one, people)
    faults = list(failed.values())
    for fault in faults[1:]:
        click.echo(f"spark: {fault}", err=True)
    if faults:
        raise faults[0]
    return OK


def show(done: Lockdown, console: Console) -> None:
    """Steps and seconds, then what is proven."""
    from rich.table import Table

    verdict = "is ready to be locked down" if done.proof is None else "is entered over its tailnet alone"
    console.print(f"\n[bold]{done.host}[/bold] {verdict}", style="green")
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    for step in done.steps:
        table.add_row(f"  {step.name}", f"{step.seconds:.1f} s")
    console.print(table)
    if done.proof:
        console.print(f"  proven over {done.proof.address}; beside the tailnet: {done.proof.lan}", markup=False)
