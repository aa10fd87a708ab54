"""`spark rotate`: keys and credentials that are due → their successors, proven, and the old ones refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import click

from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparkfleet.cli import Project
    from sparkfleet.model import Fleet
    from sparkfleet.rotate.story import Story

    Kind = Literal["s3", "host-keys", "tailnet", "ssh"]

KINDS: tuple[Kind, ...] = ("s3", "host-keys", "tailnet", "ssh")  # the order of `all`: the controller's own key last


@click.command()
@click.argument("kind", type=click.Choice([*KINDS, "all"]))
@click.argument("hosts", nargs=-1)
@click.option("--skip", multiple=True, metavar="HOST", help="Leave this host out; it is then due. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout; what happens meanwhile: on stderr.")
@click.pass_obj
def rotate(project: Project, kind: str, hosts: tuple[str, ...], skip: tuple[str, ...], *, as_json: bool) -> None:
    """Replace keys of HOSTS (default: all), each one proven before the old one goes.

    \b
    ssh        the key with which the controller logs in; one for all hosts
    host-keys  the key by which a host is known
    s3         a host's key to the object store
    tailnet    a host's node key in its tailnet
    all        each of them

    One host goes all the way before the next is touched; ssh is proven on one before others take it, and refused by
    one before others lose the old key. Killed or cut off anywhere, there is a valid way in, and the
    same command goes on where it stopped. docs/guides/rotation.md says what each step proves.

    \b
    Example:
      spark rotate s3 spark-01
      spark rotate ssh --skip spark-07
      spark rotate all --json
    """  # noqa: D301
    from rich.console import Console

    fleet, people = project.fleet(), Console(stderr=as_json, highlight=False, soft_wrap=True)
    skipped = project.hosts(skip) if skip else []
    names = [name for name in project.hosts(hosts) if name not in skipped]
    if not names:
        raise click.UsageError("every host is left out")
    kinds = KINDS if kind == "all" else tuple(k for k in KINDS if k == kind)
    if "ssh" in kinds and set(names) | set(skipped) != set(fleet.hosts):
        if kind == "ssh":
            raise click.UsageError("the controller has one key for all hosts: leave HOSTS out, and --skip who is away")
        kinds = tuple(k for k in kinds if k != "ssh")
        people.print("ssh: left out: the controller has one key for all hosts", style="dim", markup=False)
    told: list[dict[str, str]] = []
    for one in kinds:
        reason = nothing(fleet, one)
        if reason:
            people.print(f"{one}: nothing to rotate: {reason}", style="dim", markup=False)
            continue
        for story in run(fleet, one, names, skipped, lambda line: people.print(line, style="dim", markup=False)):
            told += story.told
    if as_json:
        click.echo(json.dumps({"fleet": fleet.fleet, "kind": kind, "due": skipped, "steps": told}, indent=2))
    else:
        for word in (w for w in told if w["outcome"] in {"done", "due"}):
            people.print(f"{word['host']:<12} {word['kind']:<17} {word['outcome']}  {word['new']}", markup=False)


def nothing(fleet: Fleet, kind: Kind) -> str:
    """Why there is no such key in this fleet; empty when there is."""
    if kind == "s3" and fleet.cloud.provider == "aws":
        return "hosts use certificates of IAM Roles Anywhere, which their own timer renews."
    if kind == "s3" and fleet.cloud.provider == "none":
        return "cloud.provider is none."
    if kind == "tailnet" and not fleet.with_role(Role.TAILNET):
        return "no host has the role tailnet."
    return ""


def run(
    fleet: Fleet, kind: Kind, names: Sequence[str], skipped: Sequence[str], say: Callable[[str], None]
) -> list[Story]:
    """One kind on all of the hosts, one host after the other; the first that fails stops it."""
    if kind == "ssh":
        from sparkfleet.rotate import ssh

        return [ssh.rotate(fleet, names, skipped, say)]
    if kind == "host-keys":
        from sparkfleet.rotate.host_keys import rotate as one
    elif kind == "s3":
        from sparkfleet.rotate.store import rotate as one
    else:
        from sparkfleet.rotate.tailnet import rotate as one

        names = [name for name in names if Role.TAILNET in fleet.hosts[name].all_roles]
    return [one(fleet, name, say) for name in names]
