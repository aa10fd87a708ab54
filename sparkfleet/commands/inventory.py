"""`spark inventory`: the fleet → Ansible's dynamic-inventory document, with each host's tree rendered beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sparkfleet.cli import Project


@click.command()
@click.option("--list", "everything", is_flag=True, help="All groups and hosts (what Ansible asks for).")
@click.option("--host", help="The variables of one host.")
@click.pass_obj
def inventory(project: Project, *, everything: bool, host: str | None) -> None:
    """Speak Ansible's dynamic-inventory protocol; playbooks/inventory calls it.

    Renders each host's tree into the controller's folder. Holds references of secrets, never a secret.

    \b
    Example: ansible-playbook playbooks/site.yml --check --diff --limit spark-01
    """  # noqa: D301
    if everything == bool(host):
        raise click.UsageError("give either --list or --host HOST")
    from sparkfleet.host import desired, sources
    from sparkfleet.host import inventory as rendering

    fleet = project.fleet()
    read = sources.read(fleet)
    hosts = {}
    for name in project.hosts((host,) if host else ()):
        wanted = desired.desired(fleet, name, read)
        tree_file = rendering.write_tree(fleet.controller.folder / "rendered", wanted)
        hosts[name] = rendering.host_variables(fleet, wanted, None, tree_file, fleet.hosts[name].addresses[0])
    click.echo(json.dumps(hosts[host] if host else rendering.inventory(hosts), indent=2))
