"""`spark align`: description, server and hosts → how far each host is aligned with Calypso; changes nothing."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import click

from sparkfleet import errors

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from sparkfleet.cli import Project
    from sparkfleet.host.align_live import Answers, Report
    from sparkfleet.model import Fleet

STYLES = {"aligned": "green", "forward-compatible": "yellow", "not-aligned": "bold red", "unknown": "bold magenta"}
PIPE_WIDTH = 240  # columns; what reads a pipe wraps as it likes
BY = {"question": "asked for", "server": "the server's", "description": "described"}


@click.command()
@click.argument("hosts", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--offline", is_flag=True, help="Ask nobody: what the description and the table say.")
@click.option("--release", metavar="YY.MM", help="Judge this release: may the server move there?")
@click.option("--variant", type=click.Choice(["py3", "vllm", "trtllm"]), help="Judge this container of it.")
@click.pass_obj
def align(  # noqa: PLR0913  (one parameter an option)
    project: Project,
    hosts: tuple[str, ...],
    *,
    as_json: bool,
    offline: bool,
    release: str | None,
    variant: str | None,
) -> int:
    """Show how far HOSTS (default: those with the role gpu) are aligned with the Triton server Calypso.

    Asks the server which release it is and each host which driver is loaded, and looks both up in a table with sources;
    what the table does not know is unknown. Ends with 15 unless every host is aligned or forward-compatible, and the
    server is the described one. docs/guides/alignment.md says what to do then.

    \b
    Example: spark align
             spark align --release 26.02 --variant trtllm --offline
    """  # noqa: D301
    from sparkfleet.fitness.calypso import RELEASE
    from sparkfleet.host import align_live, align_table
    from sparkfleet.model import Role

    if release and not re.fullmatch(RELEASE, release):
        raise click.UsageError(f"--release: {release!r} is no release of the Triton container such as 25.11")
    fleet, names = project.fleet(), project.hosts(hosts) if hosts else project.fleet().with_role(Role.GPU)
    if not fleet.calypso.described and not release:
        raise errors.ConfigError(["calypso.release: missing; describe the server, or give --release and --variant"])
    question = align_live.Question(release, variant)
    answers = align_live.Answers() if offline else _asked(fleet, names, server=not release)
    found = align_live.report(fleet, align_table.read(), question, answers)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        _show(fleet, found)
    if found.silent:
        for error in found.silent if not as_json else ():
            click.echo(f"spark: {error}", err=True)
        return found.silent[0].exit_code
    if fault := failure(found):
        raise fault
    return errors.OK


def failure(found: Report) -> errors.AlignmentError | None:
    """What is in the way of an alignment; None when nothing is."""
    bad = next((one for one in found.judged if not one.fits), None)
    if bad:
        told = sum(not one.fits for one in found.judged)
        whom = f"{told} of {len(found.hosts)} hosts" if found.hosts else "the described driver"
        return errors.AlignmentError(f"{whom}: {bad.state}: {bad.reasons[0]}.", next_step="; ".join(bad.to_do[:1]))
    if found.differs:
        return errors.AlignmentError(
            "the server is not the one that is described.", usually="somebody moved it.", next_step=found.differs
        )
    return None


def _asked(fleet: Fleet, names: list[str], *, server: bool) -> Answers:
    from rich.console import Console

    from sparkfleet.host import align_live

    with Console(stderr=True).status("asking the server and the hosts …"):
        return align_live.ask(fleet, names, server=server)


def _show(fleet: Fleet, found: Report) -> None:
    """The container that everything is judged with, host by host the verdict, then why and what to do, each once."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    for line in _about(fleet, found):
        console.print(line, markup=False)
    console.print(_table(found))
    if found.differs:
        console.print(found.differs, style="yellow", markup=False)
    for words, style in (("reasons", ""), ("to_do", "bold"), ("sources", "dim")):
        _bullets(
            console, words, list(dict.fromkeys(text for one in found.judged for text in getattr(one, words))), style
        )


def _bullets(console: Console, words: str, texts: list[str], style: str) -> None:
    mark = {"reasons": "·", "to_do": "→", "sources": "source:"}[words]
    for text in texts:
        console.print(f"{mark} {text}", style=style, markup=False)


def _about(fleet: Fleet, found: Report) -> list[str]:
    """The server and what its container holds, in two lines."""
    from sparkfleet.host.calypso import Server

    one = next(iter(found.judged), found.described_driver)
    said = found.server
    live = f"{said.name} {said.version}" if isinstance(said, Server) else "silent" if said else "not asked"
    lines = [f"Calypso {fleet.calypso.url or '(no address)'}: {live}"]
    if one:
        doubt = f" (not verified: {', '.join(one.unverified)})" if one.unverified else ""
        holds = (
            f"CUDA {one.cuda or '?'}, TensorRT {one.tensorrt or '?'}, driver from {one.minimum_driver or '?'} on{doubt}"
        )
        lines.append(f"release {one.release or '?'} ({BY[found.by]}), variant {one.variant or '?'}: {holds}")
    return lines


def _table(found: Report) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("host", "driver", "state", "toolkit to build with", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, one in (found.hosts or {"as described": found.described_driver}).items():
        if isinstance(one, errors.SparkfleetError):
            table.add_row(name, "?", Text("not asked: it was not reached", "bold red"), "")
        else:
            table.add_row(name, one.driver or "none", Text(one.state, STYLES[one.state]), one.toolkit or "-")
    return table
