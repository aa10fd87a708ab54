"""`spark tailnet policy`: the description → the policy of its tailnet, for the control server; changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sparkfleet.cli import Project


@click.group()
def tailnet() -> None:
    """Say what the fleet asks of its tailnet.

    \b
    Example: spark tailnet policy
    """  # noqa: D301


@tailnet.command()
@click.option("--json", "as_json", is_flag=True, help="Plain JSON, without the reasons.")
@click.pass_obj
def policy(project: Project, *, as_json: bool) -> None:
    """Print the tailnet's policy. It says who reaches which port of which host, with tests that hold it to that.

    It is a whole policy, in the form of Tailscale and headscale, for a tailnet of the fleet's own. Where other machines
    are in it, too, their grants go beside these. What the policy cannot speak of is told on stderr.

    \b
    Example: spark tailnet policy > policy.hujson
    """  # noqa: D301
    from sparkfleet.errors import ConfigError
    from sparkfleet.host import tailnet_policy
    from sparkfleet.model import Role

    fleet = project.fleet()
    if not fleet.with_role(Role.TAILNET):
        raise ConfigError(["hosts: none has the role tailnet: there is nothing that a policy could speak of"])
    for told in tailnet_policy.left_out(fleet):
        click.echo(f"left out: {told}", err=True)
    shown = json.dumps(tailnet_policy.document(fleet), indent=2) + "\n" if as_json else tailnet_policy.hujson(fleet)
    click.echo(shown, nl=False)
