"""`spark-node datasets`: sync, status, publish; what they show and with what they exit."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workloads.datasets import config as configs

if TYPE_CHECKING:
    from workloads.datasets.sync import Outcome

CONFIG = click.option(
    "--config", "file", type=click.Path(path_type=Path), default=configs.DEFAULT, show_default=True,
    help="The description's datasets, as the host has it.",
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Plain data on standard output.")


@click.group()
def datasets() -> None:
    """Mirror versions of data sets from the object store onto this machine."""


@datasets.command()
@click.argument("names", nargs=-1)
@CONFIG
@JSON
@click.option("--verify", is_flag=True, help="Read every byte that is here too, and mend what differs.")
@click.option("--quiet", is_flag=True, help="Say only what went wrong.")
def sync(names: tuple[str, ...], file: Path, *, as_json: bool, verify: bool, quiet: bool) -> int:
    """Mirror the data sets NAMES, or all. Each appears whole and checked, or what was there stays.

    Killed at any moment, the same command goes on where it stopped.
    """
    from workloads.datasets import progress, report
    from workloads.datasets.library import locked
    from workloads.datasets.sync import sync as mirror

    config = configs.load(file)
    wanted = config.named(names)
    told = progress.fitting(terminal=sys.stderr.isatty(), quiet=quiet or as_json, say=_say)
    outcomes = []
    with locked(config.folder):
        for each in wanted:
            outcome = mirror(config, each, told, verify=verify)
            outcomes.append(outcome)
            report.remember(config, [outcome])
            if outcome.error:
                click.echo(f"spark-node: {outcome.error}", err=True)
            elif not quiet and not as_json:
                _say(_line(outcome))
    if as_json:
        click.echo(json.dumps([_plain(outcome) for outcome in outcomes]))
    return next((outcome.error.exit_code for outcome in outcomes if outcome.error), 0)


@datasets.command()
@CONFIG
@JSON
def status(file: Path, *, as_json: bool) -> None:
    """Show what is here and how the last sync ended; asks no store."""
    from workloads.datasets import report

    told = report.status(configs.load(file))
    click.echo(json.dumps(told) if as_json else "\n".join(report.lines(told)))


@datasets.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
@CONFIG
@JSON
@click.option("--version", "version", help="What it is called; otherwise the time, in UTC.")
def publish(name: str, folder: Path, file: Path, *, as_json: bool, version: str | None) -> None:
    """Make FOLDER the next version of the data set NAME. Hosts then mirror it.

    Files that did not change are not sent again. It takes a key that may write there: a host's own may not.
    """
    from workloads.datasets import progress
    from workloads.datasets.publish import Sending
    from workloads.datasets.publish import publish as send
    from workloads.datasets.room import size
    from workloads.datasets.store import Store

    config = configs.load(file)
    (wanted,) = config.named((name,))
    version = configs.version_name(version or time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    told = progress.fitting(terminal=sys.stderr.isatty(), quiet=as_json, say=_say)
    store = Store(config.store, wanted.bucket)
    manifest, sent = send(Sending(store, wanted, told, config.connections), folder, version)
    if as_json:
        files = {"files": len(manifest.files), "size": manifest.size, "sent": sent}
        click.echo(json.dumps({"name": name, "version": version, **files}))
    else:
        _say(f"{name} {version}: published, {len(manifest.files)} files, {size(manifest.size)}; {sent} were sent")


def _line(outcome: Outcome) -> str:
    """One sentence for people."""
    from workloads.datasets.room import size

    head = f"{outcome.name} {outcome.version}: {outcome.files} files, {size(outcome.size)}"
    if not outcome.changed:
        return f"{head}; nothing to do, {outcome.seconds:.1f} s"
    rate = size(outcome.fetched_bytes / max(outcome.seconds, 0.001))
    text = f"{head}; {outcome.fetched_files} fetched, {outcome.linked_files} linked, {outcome.removed} removed"
    evicted = f"; evicted {', '.join(outcome.evicted)}" if outcome.evicted else ""
    return f"{text} in {outcome.seconds:.1f} s, {rate}/s{evicted}"


def _plain(outcome: Outcome) -> dict[str, Any]:
    plain = {key: value for key, value in vars(outcome).items() if key != "error"}
    error = outcome.error
    return {**plain, "error": {"what": error.what, "next": error.next_step} if error else None,
            "exit_code": error.exit_code if error else 0}  # fmt: skip


def _say(text: str) -> None:
    click.echo(text, err=True)
