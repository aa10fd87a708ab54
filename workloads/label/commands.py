"""`spark-node label`: run, status and rollback; what they show and with what they exit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from workloads.label.flow import Place
    from workloads.label.runs import Run

PROJECT = click.option(
    "--project", type=click.Path(path_type=Path), default=Path(), show_default="this folder",
    help="The folder with project.toml.",
)  # fmt: skip
SITE = click.option(
    "--site", "site_file", type=click.Path(path_type=Path), default=None,
    help="Where the services are.  [default: $SPARKFLEET_LABEL_SITE, or /etc/sparkfleet/label.json]",
)  # fmt: skip
JSON = click.option("--json", "as_json", is_flag=True, help="Plain data on standard output.")


@click.group()
def label() -> None:
    """An archive goes in, people verify instead of typing, a better model serves on Calypso."""


@label.command()
@PROJECT
@SITE
@click.option("--from", "first", help="The stage to begin with; otherwise fetch.")
@click.option("--to", "last", help="The stage to end with; otherwise roi.")
@click.option("--without-learning", is_flag=True, help="Leave out finetune, evaluate and promote.")
@click.option("--afresh", is_flag=True, help="Begin a new run even where the last one did not come to its end.")
@click.option("--alone", is_flag=True, hidden=True, help="Only while no other run is on this machine: a timer's.")
@JSON
def run(  # noqa: PLR0913  (the options of a verb)
    project: Path, site_file: Path | None, first: str | None, last: str | None,
    *, without_learning: bool, afresh: bool, alone: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run the stages, in order; safe to repeat.

    \b
    fetch → convert → preannotate → publish → collect → finetune → evaluate → promote → roi

    A stage does what is new since it last ran, so the same command is for the first time, for every night, and after
    a crash: then it goes on where it stopped. For example, up to the moment when people look at it:

    \b
    spark-node label run --project examples/contracts --to publish
    """  # noqa: D301  (click's mark for "do not re-wrap")
    from workloads.label import flow, progress

    at, stages = flow.place(project, site_file), flow.between(first, last)
    stages = tuple(name for name in stages if not (without_learning and name in flow.LEARNING))
    with progress.fitting(stages, terminal=sys.stderr.isatty(), quiet=as_json, say=_say) as told:
        done = flow.run(at, stages, told, afresh=afresh, alone=alone)
    page = _left(at, done)
    if page and not as_json:
        _say(f"report: {page}")
    if done.failed:
        raise flow.failure(done.failed)
    if as_json:
        click.echo(done.model_dump_json())
    else:
        _say(f"{at.params.name}: run {done.id} is done")


@label.command()
@PROJECT
@SITE
@JSON
def status(project: Path, site_file: Path | None, *, as_json: bool) -> None:
    """Show how far a project is; asks no server."""
    from workloads.label import flow
    from workloads.label import status as states

    told = states.look(flow.place(project, site_file))
    if as_json:
        click.echo(json.dumps(told.plain()))
        return
    from rich.console import Console

    Console(highlight=False).print(*states.tables(told), sep="\n")


@label.command()
@PROJECT
@SITE
@click.option("--dry-run", is_flag=True, help="Only say what the next turn would be.")
@JSON
def campaign(project: Path, site_file: Path | None, *, dry_run: bool, as_json: bool) -> int:
    """Take a campaign one turn further. It learns from what people said and chooses what they see next, or stops.

    A project with a section [campaign] publishes rounds: the items that teach most, few that are drawn by chance, and
    none any more when nothing is gained or the minutes are spent. Safe to repeat; a round that people are at is left.

    \b
    spark-node label campaign --project examples/contracts
    """  # noqa: D301  (click's mark for "do not re-wrap")
    from workloads.label import flow, progress
    from workloads.label.campaigning import shown

    at = flow.place(project, site_file)
    shown.check(at.params)
    if dry_run:
        return subprocess.run(flow.command(at, shown.MODULE), env=flow.environment(), check=False).returncode
    with progress.fitting(flow.TURN, terminal=sys.stderr.isatty(), quiet=as_json, say=_say) as told:
        done = flow.run(at, flow.TURN, told)
    page = flow.report(at, done.id, shown.MODULE, shown.FILE)
    _left(at, done)
    if done.failed:
        raise flow.failure(done.failed)
    shown.show(at.work, at.params, page, as_json=as_json)
    return 0


@label.command()
@PROJECT
@SITE
@click.option("--without-promoting", is_flag=True, help="Leave the best one to the next run's evaluate and promote.")
@JSON
def compare(project: Path, site_file: Path | None, *, without_promoting: bool, as_json: bool) -> None:
    """Train several candidates, judged on one held-out set. The best one goes through the gate.

    Which ones says [compare] in project.toml: bases, random seeds, mixes of data. Safe to repeat: only what is missing
    is trained. Later fine-tunes go on with what was best.

    \b
    spark-node label compare --project examples/contracts
    """  # noqa: D301  (click's mark for "do not re-wrap")
    from workloads.label import flow, progress
    from workloads.label.comparing import shown

    at, stages = flow.place(project, site_file), flow.COMPARISON[: 1 if without_promoting else None]
    with progress.fitting(stages, terminal=sys.stderr.isatty(), quiet=as_json, say=_say) as told:
        done = flow.run(at, stages, told, afresh=True)
    page = flow.report(at, done.id, shown.MODULE, shown.FILE)
    _left(at, done)
    if done.failed:
        raise flow.failure(done.failed)
    shown.show(at.work, f"{done.steps[0].told['result']}", page, as_json=as_json)


@label.command()
@PROJECT
@SITE
@click.option("--to", "version", type=click.IntRange(1), required=True, help="The version that shall serve.")
def rollback(project: Path, site_file: Path | None, version: int) -> int:
    """Let an older version serve on Calypso again. What it takes the place of is never promoted again by itself.

    \b
    spark-node label rollback --project examples/contracts --to 3
    """  # noqa: D301  (click's mark for "do not re-wrap")
    from workloads.label import flow

    words = flow.command(flow.place(project, site_file), "workloads.label.promoting", "--to", str(version))
    return subprocess.run(words, env=flow.environment(), check=False).returncode


@label.command("keep")
@PROJECT
@SITE
@click.option(
    "--anew", is_flag=True, help="Send all of it, also where what is there is damaged, or of another workspace."
)
@JSON
def keep_records(project: Path, site_file: Path | None, *, anew: bool, as_json: bool) -> None:
    """Keep the project's small records in the object store. Each run does so at its end.

    Kept is what cannot be made again: reviews, items, test sets, evaluations, promotions, reports. No texts, no models.
    """
    from workloads.label import flow
    from workloads.label.keeping import keep

    at = flow.place(project, site_file)
    done, sent = keep.keep(at, anew=anew)
    if as_json:
        click.echo(json.dumps({**done.plain(), "sent": sent}))
    else:
        _say(f"{at.params.name}: kept as {done.version}, {done.files} files; {sent} were sent")


@label.command("restore")
@PROJECT
@SITE
@click.option("--from", "host", default="", help="The host that kept them; otherwise this one.")
@click.option("--version", "version", default="", help="Which time; otherwise the newest.")
@JSON
def restore_records(project: Path, site_file: Path | None, *, host: str, version: str, as_json: bool) -> None:
    """Bring kept records into an empty workspace. They come whole and checked; the next run makes what is missing.

    \b
    spark-node label restore --project examples/contracts --from spark-01
    """  # noqa: D301  (click's mark for "do not re-wrap")
    from dataclasses import asdict

    from workloads.datasets.room import size
    from workloads.label import flow
    from workloads.label.keeping import restore

    at = flow.place(project, site_file)
    came = restore.restore(at, host, version)
    if as_json:
        click.echo(json.dumps(asdict(came)))
    else:
        told = f"{came.files} files, {size(came.size_bytes)}, as {came.host} kept them at {came.kept_at}"
        _say(f"{at.params.name}: restored {came.version}: {told}")


@label.command()
@click.argument("name")
@SITE
def due(name: str, site_file: Path | None) -> int:
    """Do the recurring run NAME, if it is due. Its timer calls this, and it waits for its turn.

    \b
    spark-node label due contracts-prepare
    """  # noqa: D301  (click's mark for "do not re-wrap")
    from workloads.label import site
    from workloads.label.recurring import due as runs

    return runs.run(site.load(site_file), name, site_file, _say)


def _left(at: Place, run: Run) -> Path | None:
    """What every run leaves, also one that failed: its report, and the records in the store."""
    from workloads.label import flow
    from workloads.label.keeping import keep

    page = flow.report(at, run.id)
    keep.after_run(at, _say)
    return page


def _say(text: str) -> None:
    click.echo(text, err=True)
