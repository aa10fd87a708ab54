"""`spark verify`: the compliance pack against live hosts → a table for people; JUnit, JSON and a page in files."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

    from sparkfleet.cli import Project
    from sparkfleet.errors import SparkfleetError
    from sparkfleet.host.verdicts import Verdict

FILE = click.Path(dir_okay=False, path_type=Path)
# Outcome → how it stands in the table, in the order in which a reader wants them.
MARKS = {"failed": "✗", "waived": "~", "skipped": "-", "passed": "✓"}
STYLES = {"failed": "bold red", "waived": "yellow", "skipped": "dim", "passed": "green"}
SEVERITIES = {"high": "bold", "medium": "", "low": "dim"}


@click.command()
@click.argument("hosts", nargs=-1)
@click.option("--junit", metavar="FILE", type=FILE, help="Write JUnit XML, for CI: one testsuite a host.")
@click.option(
    "--json", "json_file", metavar="FILE|-", help='Write JSON to this file; "-": to stdout, without the table.'
)
@click.option("--html", metavar="FILE", type=FILE, help="Write one page, for the reviewer.")
@click.pass_obj
def verify(
    project: Project, hosts: tuple[str, ...], junit: Path | None, json_file: str | None, html: Path | None
) -> None:
    """Run the compliance pack on HOSTS (default: all): what they really do against what is described.

    Changes nothing. A check that may fail for a while has a waiver with a reason and a date in the description. Ends
    with code 6 when a check failed without one. docs/guides/compliance.md lists what is checked.

    \b
    Example: spark verify spark-01 --junit verify.xml --html verify.html
    """  # noqa: D301
    from rich.console import Console

    from sparkfleet.host import verdicts as found
    from sparkfleet.host import verify as verifying
    from sparkfleet.host import verify_report as report

    fleet, names = project.fleet(), project.hosts(hosts)
    trouble: SparkfleetError | None = None
    silent: dict[str, str] = {}
    with Console(stderr=True).status(f"asking {_count(len(names), 'host')} …"):
        try:
            verdicts = verifying.verify(fleet, names)
        except verifying.SilentHostsError as error:
            verdicts, silent, trouble = error.verdicts, error.silent, error
    when = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
    if junit:
        junit.write_text(report.junit(names, verdicts, silent), encoding="utf-8")
    if html:
        html.write_text(report.page(fleet.fleet, when, names, verdicts, silent), encoding="utf-8")
    if json_file:
        text = json.dumps(report.document(fleet.fleet, when, verdicts, silent), indent=2, ensure_ascii=False)
        click.echo(text) if json_file == "-" else Path(json_file).write_text(text + "\n", encoding="utf-8")
    if json_file != "-":
        console = Console(highlight=False)
        show(console, names, verdicts, silent)
        unheard = f"; [bold red]{_count(len(silent), 'host')} not reached[/]" if silent else ""
        console.print(f"[bold]{fleet.fleet}[/], {when:%Y-%m-%d %H:%M} UTC: {summary(verdicts)}{unheard}")
    if trouble := trouble or found.failure(verdicts):
        raise trouble


def show(console: Console, names: Sequence[str], verdicts: Sequence[Verdict], silent: Mapping[str, str]) -> None:
    """One table a host: what failed and why first, then waivers, what was skipped, and what holds."""
    for name in names:
        of_host = [v for v in verdicts if v.host == name]
        bad = name in silent or any(v.outcome == "failed" for v in of_host)
        said = "not verified: it was not reached" if name in silent else summary(of_host)
        console.print(f"\n[{'bold red' if bad else 'bold green'}]{name}[/]  {said}")
        if of_host:
            console.print(_table(of_host))
    for note in (v for v in verdicts if not v.host):
        console.print(f"\n{note.detail}", style="yellow", markup=False)
    console.print()


def _table(verdicts: Sequence[Verdict]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for _ in ("mark", "id", "severity"):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for outcome, mark in MARKS.items():
        for id_, verdict in _together([v for v in verdicts if v.outcome == outcome]):
            style = STYLES[outcome]
            claim = Text(verdict.title, style="bold" if outcome == "failed" else "dim" if outcome == "skipped" else "")
            if verdict.detail:
                claim.append("\n" + verdict.detail, style=style if outcome in {"failed", "waived"} else "dim")
            table.add_row(
                Text(mark, style), Text(id_, style), Text(verdict.severity, SEVERITIES[verdict.severity]), claim
            )
    return table


def _together(verdicts: Iterable[Verdict]) -> list[tuple[str, Verdict]]:
    """Failures by severity; a check that passed for each of many subjects takes one line. With the ids to show."""
    rank = list(SEVERITIES)
    found: dict[str, list[Verdict]] = {}
    for verdict in sorted(verdicts, key=lambda v: rank.index(v.severity) if v.outcome == "failed" else 0):
        family = verdict.id.partition("/")[0]
        found.setdefault(family if verdict.outcome == "passed" else verdict.id, []).append(verdict)
    families = ((id_.partition("/")[0], group) for id_, group in found.items())
    return [(family if len(group) == 1 else f"{family} ({len(group)})", group[0]) for family, group in families]


def summary(verdicts: Iterable[Verdict]) -> str:
    """What came out, in words: "44 checks: 1 failed, 3 skipped, 40 passed"; colours are rich's markup."""
    counted = Counter(v.outcome for v in verdicts if v.host)
    parts = [f"[{STYLES[o]}]{counted[o]} {o}[/]" for o in MARKS if counted[o]]  # type: ignore[index]
    return f"{_count(sum(counted.values()), 'check')}: {', '.join(parts) or 'none ran'}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
