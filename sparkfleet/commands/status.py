"""`spark status`: what the monitor's Prometheus knows → a table, JSON, or one HTML file; changes nothing."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkfleet import errors

if TYPE_CHECKING:
    from rich.console import Console

    from sparkfleet.cli import Project
    from sparkfleet.monitoring.prometheus import Prometheus
    from sparkfleet.monitoring.status import Asked, FleetStatus

PIPE_WIDTH = 240  # columns; what reads a pipe wraps as it likes


@click.command()
@click.argument("hosts", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--live", is_flag=True, help="Show it anew until Ctrl-C; on a terminal only.")
@click.option("--every", "every_s", type=click.FloatRange(0.5), default=2.0, show_default=True, help="Seconds, --live.")
@click.option(
    "--html", "html_file", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write one page."
)
@click.option("--hours", type=click.FloatRange(0.2, 168), default=6.0, show_default=True, help="Plotted, --html.")
@click.option("--url", metavar="URL", help="Another Prometheus than the monitor host's, http://HOST:PORT.")
@click.option("--detailed-exitcode", is_flag=True, help=f"Exit {errors.DIFFERS} when a page fires or a host is not up.")
@click.pass_obj
def status(  # noqa: PLR0913  (one parameter an option)
    project: Project,
    hosts: tuple[str, ...],
    *,
    as_json: bool,
    live: bool,
    every_s: float,
    html_file: Path | None,
    hours: float,
    url: str | None,
    detailed_exitcode: bool,
) -> int:
    """Show how HOSTS (default: all) stand, as their monitor saw them last.

    Asks Prometheus on the monitor host, through SSH. A value that nobody knows is a dash; one that is old is grey and
    has its age. docs/guides/status.md says what the states and the JSON mean.

    \b
    Example: spark status --live
             spark status --html fleet.html
             spark status --json --detailed-exitcode
    """  # noqa: D301
    if sum((as_json, live, html_file is not None)) > 1:
        raise click.UsageError("give one of --json, --live, --html")
    from sparkfleet.monitoring import ask, prometheus
    from sparkfleet.monitoring.decide import status as decide

    fleet = project.fleet()
    asked = ask.asked(fleet, project.hosts(hosts))
    with prometheus.connect(fleet, url) as source:
        if live and sys.stdout.isatty():
            return _live(asked, source, every_s)
        answers = ask.answers(source)
        found = decide(asked, answers)
        if html_file:
            from sparkfleet.monitoring import history, page

            plotted = history.read(source, found, answers.rules or (), hours * 3600)
            html_file.write_text(page.page(found, plotted, source.source), encoding="utf-8")
            click.echo(f"{html_file}: {len(found.hosts)} hosts, plots of {plotted.words}")
    if as_json:
        click.echo(json.dumps(document(found, source.source), indent=2, ensure_ascii=False))
    elif not html_file:
        _print(found, source.source)
    return errors.DIFFERS if detailed_exitcode and found.needs_somebody else errors.OK


def document(found: FleetStatus, source: str) -> dict[str, object]:
    """What `--json` holds: the names of status.py with their units; null is unknown."""
    from dataclasses import asdict

    document = asdict(found) | {"source": source, "needs_somebody": found.needs_somebody}
    for host, told in zip(found.hosts, document["hosts"], strict=True):
        if host.hottest:
            told["hottest"]["distance_celsius"] = host.hottest.distance_celsius
    return document


def _print(found: FleetStatus, source: str) -> None:
    from rich.console import Console

    from sparkfleet.monitoring.table import show

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    console.print(show(found, console.width, source))


def _live(asked: Asked, source: Prometheus, every_s: float) -> int:
    """Until Ctrl-C. A Prometheus that falls silent does not freeze the picture: its values grow old."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from sparkfleet.monitoring import ask
    from sparkfleet.monitoring.decide import status as decide
    from sparkfleet.monitoring.table import show

    console: Console = Console(highlight=False)
    answers, read_at = ask.answers(source), time.monotonic()
    trouble = ""
    with Live(console=console, auto_refresh=False, screen=True) as screen:
        try:
            while True:
                later = decide(asked, answers.aged(time.monotonic() - read_at))
                shown = show(later, console.width, source.source)
                screen.update(Group(shown, Text(trouble, "bold red"), Text("Ctrl-C ends", "dim")), refresh=True)
                time.sleep(every_s)
                try:
                    answers, read_at, trouble = ask.answers(source), time.monotonic(), ""
                except errors.UnreachableError as error:
                    trouble = error.what
        except KeyboardInterrupt:
            pass
    console.print(show(decide(asked, answers.aged(time.monotonic() - read_at)), console.width, source.source))
    return errors.OK
