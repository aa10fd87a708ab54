"""`spark upgrade`: every host's packages, ring after ring; the first host that is not well afterwards stops it."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkfleet.errors import OK, UpgradeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from rich.console import Console

    from sparkfleet.cli import Project
    from sparkfleet.host.upgrade import Kind, Run
    from sparkfleet.model import Fleet

STYLES = {"bad": "bold red", "warn": "yellow", "quiet": "dim", "good": "green"}
RINGS = click.Choice(["canary", "wave", "rest"])
OPTIONS = (
    click.option("--dry-run", is_flag=True, help="Show rings, packages and what is in the way; changes no host."),
    click.option("--resume", is_flag=True, help="Go on where the last run stopped or was killed."),
    click.option("--anew", is_flag=True, help="Forget a run that did not finish, and begin another."),
    click.option("--skip", multiple=True, metavar="HOST", help="Leave this host as it is. Repeatable."),
    click.option("--until", type=RINGS, default=None, help="Rest after this ring; --resume goes on."),
    click.option("--force", is_flag=True, help="Also while a job is on a GPU, or somebody blocks a reboot."),
    click.option("--status", is_flag=True, help="Show how far the last run is; asks no host."),
    click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; the rest on stderr."),
    click.option("--html", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write one page."),
)


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    hosts: tuple[str, ...]
    dry_run: bool
    resume: bool
    anew: bool
    skip: tuple[str, ...]
    until: str | None
    force: bool
    status: bool
    as_json: bool
    html: Path | None


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What `spark upgrade` and `spark reboot` have in common."""
    for option in reversed(OPTIONS):
        command = option(command)
    return click.argument("hosts", nargs=-1)(command)


@click.command()
@options
@click.pass_obj
def upgrade(project: Project, /, **wish: Any) -> int:
    """Upgrade the packages of HOSTS (default: all), one host after the other, ring after ring.

    Each host is looked at first (disk, dpkg, other package managers, inhibitors, GPU jobs, known issues of where the
    packages lead), drained, upgraded with holds respected; before it is rebooted, the kernel that GRUB takes next must
    be whole and have its NVIDIA module. It is done when it came back with another boot id, serves again and fails no
    check that it did not fail before. The first host that is not well stops the run; those after it stay untouched.

    \b
    Example:
      spark upgrade --dry-run
      spark upgrade --until canary
      spark upgrade --resume --html upgrade.html
    """  # noqa: D301
    return carry_out(project, "upgrade", Wish(**wish))


def carry_out(project: Project, kind: Kind, wish: Wish) -> int:
    """Begin or go on, show what became of it; raises UpgradeError when a host stopped it."""
    from rich.console import Console

    from sparkfleet.host import upgrade_state

    if wish.resume and (wish.hosts or wish.anew or wish.dry_run):
        raise click.UsageError("--resume goes on with what was begun: leave HOSTS, --anew and --dry-run out")
    fleet, people = project.fleet(), Console(stderr=wish.as_json, highlight=False, soft_wrap=True)
    project.hosts((*wish.hosts, *wish.skip))
    if wish.status:
        last = upgrade_state.read(fleet, kind)
        if last is None:
            raise UpgradeError(f"there was no `spark {kind}` of {fleet.fleet} on this controller yet.")
        return told(last, wish, people)
    if wish.dry_run:
        return _dry_run(fleet, kind, wish, people)
    with upgrade_state.alone(fleet, kind):
        from sparkfleet.host.upgrade_run import Runner

        run = _begun(fleet, kind, wish)
        run = Runner(fleet, run, lambda line: people.print(line, style="dim", markup=False)).go()
    told(run, wish, people)
    if run.stopped:
        from sparkfleet.host import upgrade_report

        untouched = f" Untouched: {', '.join(run.untouched)}." if run.untouched else ""
        raise UpgradeError(
            f"the {kind} stopped at {run.stopped.name}: {run.stopped.why.rstrip('.')}.{untouched}",
            next_step=";\n    ".join(upgrade_report.way_on(run)) + ".",
        )
    return OK


def _begun(fleet: Fleet, kind: Kind, wish: Wish) -> Run:
    """The run to carry out: the last one, or a new one."""
    from sparkfleet.host import upgrade, upgrade_rings, upgrade_state

    last = None if wish.anew else upgrade_state.read(fleet, kind)
    if wish.resume:
        if last is None or last.finished:
            raise UpgradeError(f"there is no `spark {kind}` to go on with.", next_step=f"begin one: `spark {kind}`.")
        gone = {host.name for host in last.hosts} - set(fleet.hosts)
        return upgrade.resumed(last, skip={*wish.skip, *gone}, force=wish.force, until=wish.until or "")
    if last and not last.finished and any(host.touched for host in last.hosts):
        raise UpgradeError(
            f"the {kind} of {last.began} is not finished.",
            usually="a host stopped it, it rests after a ring, or it was killed.",
            next_step=f"`spark {kind} --status` shows it, --resume goes on with it, --anew forgets it.",
        )
    names = set(wish.hosts or fleet.hosts) - set(wish.skip)
    if not names:
        raise click.UsageError("every host is left out")
    now = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
    rings, id_ = upgrade_rings.rings(fleet, names), secrets.token_hex(4)
    return upgrade.begin(
        kind, fleet.fleet, rings, id_=id_, began=now.isoformat(), force=wish.force, until=wish.until or ""
    )


def told(run: Run, wish: Wish, people: Console) -> int:
    """The run as a table, JSON and a page."""
    from rich.table import Table
    from rich.text import Text

    from sparkfleet.host import upgrade_report

    if wish.html:
        when = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
        wish.html.write_text(upgrade_report.page(run, when), encoding="utf-8")
    if wish.as_json:
        click.echo(json.dumps(upgrade_report.document(run), indent=2))
        return OK
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for row in upgrade_report.rows(run):
        style = STYLES[upgrade_report.TONES[row.state]]
        words = (row.ring, row.host, row.state, row.packages, row.boot)
        table.add_row(*(Text(word, style if place < 3 else "") for place, word in enumerate(words)))
    people.print(table)
    for row in upgrade_report.rows(run):
        if row.words:
            people.print(f"  {row.host}: {row.words}", style=STYLES[upgrade_report.TONES[row.state]], markup=False)
    people.print(f"[bold]{run.fleet}[/], {run.kind} {run.id}: {upgrade_report.summary(run)}")
    if not run.stopped:
        for sentence in upgrade_report.way_on(run):
            people.print(f"  {sentence}", markup=False)
    return OK


def _dry_run(fleet: Fleet, kind: Kind, wish: Wish, people: Console) -> int:
    """What would happen, host by host; package lists are read anew, nothing else changes."""
    from sparkfleet.host import upgrade_rings
    from sparkfleet.host.upgrade_host import Machine
    from sparkfleet.host.upgrade_run import checked

    names = set(wish.hosts or fleet.hosts) - set(wish.skip)
    document: dict[str, Any] = {"fleet": fleet.fleet, "kind": kind, "rings": []}
    for ring in upgrade_rings.rings(fleet, names):
        people.print(f"[bold]{ring.name}[/]: {', '.join(ring.hosts)}")
        hosts = {}
        for name in ring.hosts:
            learned, faults = checked(fleet, Machine(fleet, name), kind, force=wish.force)
            packages = learned.get("packages", ())
            hosts[name] = {"packages": [p.model_dump() for p in packages], "in_the_way": [f._asdict() for f in faults]}
            people.print(f"  {name}: {len(packages)} package(s)" if kind == "upgrade" else f"  {name}", markup=False)
            for package in packages:
                people.print(f"    {package}", markup=False)
            for fault in faults:
                people.print(f"    in the way: {fault.what} → {fault.way_on}", style="red", markup=False)
        document["rings"].append({"name": ring.name, "hosts": hosts})
    if wish.as_json:
        click.echo(json.dumps(document, indent=2))
    if any(host["in_the_way"] for ring in document["rings"] for host in ring["hosts"].values()):
        raise UpgradeError("a host is not ready; nothing was changed.", next_step="mend what is in the way.")
    return OK
