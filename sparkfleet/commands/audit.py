"""`spark audit`: the fleet's audit log → a table or JSON, its copies brought up to date, or compared with the log."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sparkfleet.errors import OK, VerifyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from sparkfleet.audit_check import Disagreement
    from sparkfleet.chain import Record
    from sparkfleet.cli import Project

PIPE_WIDTH = 240  # columns; what reads a pipe wraps as it likes
SHOWN_OF_A_NAME = 19  # SHA256: and twelve characters; an access key's id as good as whole


@click.command()
@click.argument("host", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--ship", is_flag=True, help="Copy to the store what waits, first.")
@click.option("--verify", is_flag=True, help="Compare chain, log and copies; exit 6 when somebody tampered.")
@click.pass_obj
def audit(project: Project, host: str | None, *, as_json: bool, ship: bool, verify: bool) -> int:
    """Show what happened to the ways into HOST (default: all), oldest first.

    The log is on this controller; each record has a copy in a bucket where nobody, the store's administrator included,
    deletes or changes it before its time. --verify looks at the whole log whatever HOST is.

    \b
    Example: spark audit spark-01
             spark audit --ship --verify
    """  # noqa: D301
    from sparkfleet import audit as log
    from sparkfleet import chain

    fleet = project.fleet()
    shipped = log.ship(fleet) if ship else None
    lines = chain.read_lines(log.log_file(fleet))
    records = [made for line in lines if (made := chain.parsed(line)) and host in {None, made.host}]
    if host and not records:
        project.hosts((host,))  # a host that left has records; a name that has none must be described
    found = log.verify(fleet) if verify else None
    waiting = log.backlog(fleet) if fleet.cloud.provider != "none" else None
    if as_json:
        document = {
            "log": str(log.log_file(fleet)),
            "records": [asdict(made) for made in records],
            "waiting": waiting,
            "shipped": shipped,
            "disagreements": None if found is None else [{**asdict(d), "tampering": d.tampering} for d in found],
        }
        click.echo(json.dumps(document, indent=2))
    else:
        _show(records, found, waiting, shipped)
    tampered = [one for one in found or () if one.tampering]
    if tampered:
        raise VerifyError(
            f"the audit log does not hold: {len(tampered)} disagreements",
            usually="somebody changed the log on this controller, or wrote to the bucket with its key; or the log of "
            "another controller's folder is the right one",
            next_step="keep the log as it is, read the copies with an administrator's key, and replace the "
            "controller's keys: raise cloud.generations.controller, run `pulumi up`",
        )
    return OK


def _show(records: list[Record], found: list[Disagreement] | None, waiting: int | None, shipped: int | None) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    if records:
        console.print(_table(records))
    else:
        console.print("nothing is recorded yet")
    if shipped is not None:
        console.print(f"shipped now: {shipped}")
    if waiting is None:
        console.print("cloud.provider is none: the log has no copies, this controller could rewrite it", style="yellow")
    elif waiting:
        console.print(f"{waiting} wait to be shipped: `spark audit --ship`", style="yellow")
    for one in found or ():
        place = f"line {one.line} " if one.line else ""
        console.print(f"{one.kind}: {place}{one.what}", style="red" if one.tampering else "yellow", markup=False)
    if found == []:
        against = "the chain holds" if waiting is None else "the chain holds, and every record has its copy"
        console.print(against, style="green")


def _table(records: Iterable[Record]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("time", "who", "host", "what", "outcome", "old → new", "detail"):
        table.add_column(column, overflow="fold")
    for made in records:
        change = " → ".join((_short(made.old), _short(made.new))) if made.old or made.new else ""
        when = made.at[:19].replace("T", " ")
        cells = (when, made.who, made.host, made.kind, made.outcome, change, made.detail)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _short(names: str) -> str:
    """Enough of each fingerprint to find it by; JSON has it whole."""
    shown = (name if len(name) <= SHOWN_OF_A_NAME + 1 else f"{name[:SHOWN_OF_A_NAME]}…" for name in names.split())
    return " ".join(shown) or "none"
