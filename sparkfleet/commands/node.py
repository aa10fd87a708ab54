"""`spark node`: a verb of `spark-node` on a host, started as a unit there and followed from here."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING

import click

from sparkfleet import errors

if TYPE_CHECKING:
    from sparkfleet.cli import Project
    from sparkfleet.host.connection import Target


# What comes after HOST belongs to spark-node, options included.
@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--follow", metavar="JOB", help="Follow a job that runs, or ended, from its first line on.")
@click.option("--stop", metavar="JOB", help="End a job.")
@click.option("--list", "listed", is_flag=True, help="Show the jobs that the host keeps.")
@click.option("--detach", is_flag=True, help="Start it, print the job's name, and follow nothing.")
@click.argument("host")
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def node(  # noqa: PLR0913  (its options)
    project: Project,
    host: str,
    words: tuple[str, ...],
    follow: str | None,
    stop: str | None,
    *,
    listed: bool,
    detach: bool,
) -> int:
    """Run `spark-node WORDS` on HOST as a systemd unit, and follow it; its exit code is this one's.

    It lives on the host: a lost connection is made anew, and Ctrl-C ends the following alone.

    \b
    Example:
      spark node spark-01 datasets sync
      spark node spark-01 datasets status --json
      spark node --list spark-01
    """  # noqa: D301
    from sparkfleet.host import node as nodes
    from sparkfleet.host.connection import Target

    target = Target.of(project.fleet(), project.hosts((host,))[0])
    if sum(map(bool, (follow, stop, listed, words))) != 1:
        raise click.UsageError("name a verb of spark-node, or one of --follow, --stop and --list")
    needed = "label" if words[:1] == ("label",) else "node"
    if words and needed not in project.fleet().hosts[host].roles:
        raise errors.ConfigError([f"hosts.{host}.roles: {needed} is not among them, and its verbs are not on the host"])
    if listed:
        show_jobs(target)
        return errors.OK
    if stop:
        nodes.stop(target, stop)
        return errors.OK
    job = nodes.checked(follow) if follow else nodes.start(target, words)
    if detach:
        click.echo(job)
        return errors.OK
    try:
        return nodes.Following(target, job, show, lambda line: click.echo(line, err=True)).to_the_end()
    except KeyboardInterrupt:
        click.echo(f"\n{host}: job {job} goes on there. {nodes.follow_again(host, job)}", err=True)
        return errors.INTERRUPTED


def show(stream: str, text: str) -> None:
    """The verb's own streams, each on its own here."""
    print(text, file=sys.stderr if stream == "err" else sys.stdout, flush=True)


def show_jobs(target: Target) -> None:
    """One line a job."""
    from sparkfleet.host import node as nodes
    from sparkfleet.text import printable

    for job in nodes.jobs(target):
        words = job.get("words")
        started = job.get("started")
        when = dt.datetime.fromtimestamp(started, dt.UTC) if isinstance(started, int | float) else None
        how = f"ended with {job.get('code')}" if job.get("state") == "ended" else str(job.get("state"))
        line = f"{job.get('id')}  {when:%Y-%m-%d %H:%M} UTC  {how}  " if when else f"{job.get('id')}  {how}  "
        click.echo(printable(line + " ".join(map(str, words if isinstance(words, list) else []))))
