"""Words on the command line → sparkfleet's verbs; the only place that prints errors and exits.

Each verb is a module of sparkfleet.commands, imported when it is called: `spark --help` stays under 150 ms.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sparkfleet import errors

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

PROJECT = Path(__file__).resolve().parents[1]
VERBS = {
    "adopt": "Take a factory machine to one that can be described.",
    "align": "Show how far hosts are aligned with the Triton server Calypso.",
    "audit": "Show what happened to each way in, and whether somebody changed that story.",
    "inventory": "Speak Ansible's dynamic-inventory protocol.",
    "lockdown": "Close every way into hosts but the tailnet, with proof.",
    "node": "Run a verb of spark-node on a host, and follow it.",
    "plan": "Show what differs between hosts and their description; changes nothing.",
    "reset": "Make a host what it was before the first apply; its data stays.",
    "reboot": "Reboot hosts one after the other, each one back and well before the next.",
    "retire": "Revoke every identity of a host that leaves the fleet, or was stolen.",
    "rotate": "Replace keys and credentials, each one proven before the old one goes.",
    "status": "Show how hosts stand, as their monitor saw them last.",
    "survey": "Report what a fleet needs and costs; changes nothing.",
    "tailnet": "Print the tailnet's policy: who reaches which port of which host.",
    "upgrade": "Upgrade packages in rings of hosts; the first bad host stops it.",
    "verify": "Run the compliance pack on live hosts.",
}


@dataclass
class Project:
    """What every verb starts from: the stack that was named, and its fleet when it is asked for."""

    stack: str
    folder: Path = PROJECT
    _fleet: Fleet | None = field(default=None, repr=False)

    def fleet(self) -> Fleet:
        """Load the stack's description once; raises ConfigError with every fault."""
        if self._fleet is None:
            from sparkfleet import config

            self._fleet = config.load(self.stack, self.folder)
        return self._fleet

    def hosts(self, named: tuple[str, ...]) -> list[str]:
        """The hosts that were named, or all; raises ConfigError for one that is not described."""
        known = self.fleet().hosts
        unknown = [f"{name}: no such host (hosts here: {', '.join(known)})" for name in named if name not in known]
        if unknown:
            raise errors.ConfigError(unknown)
        return list(dict.fromkeys(named)) or list(known)


class Late(click.Group):
    """A group whose verbs are imported when they are called, so that help costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The verbs, in order."""
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The verb's own module holds its command under the verb's name."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(f"sparkfleet.commands.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """One line a verb, without importing it."""
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))


@click.group(cls=Late)
@click.option(
    "--stack",
    envvar="PULUMI_STACK",
    default="lab",
    show_default=True,
    help="Whose Pulumi.<stack>.yaml is read; also $PULUMI_STACK.",
)
@click.version_option(package_name="sparkfleet", prog_name="spark")
@click.pass_context
def spark(ctx: click.Context, stack: str) -> None:
    """Take DGX Sparks from box to productive, safe and watched.

    \b
    spark adopt spark-01          a factory machine becomes one that can be described
    pulumi up                     every host and the object store as described
    spark plan                    what differs now
    spark verify                  what the compliance pack says
    spark status --live           how the hosts are, as their monitor sees them
    """  # noqa: D301  (click's mark for "do not re-wrap")
    ctx.obj = Project(stack)


def main() -> None:
    """Run, print errors in their three parts, exit with the code of their kind."""
    try:
        result = spark(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(errors.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again, it goes on where it stopped", err=True)
        sys.exit(errors.INTERRUPTED)
    except errors.SparkfleetError as error:
        click.echo(f"spark: {error}", err=True)
        sys.exit(error.exit_code)
    except SystemExit:  # no verb's: click's or rich's, when nobody reads any more, as in `spark plan | head`
        sys.exit(errors.UNREAD)
    sys.exit(result if isinstance(result, int) else errors.OK)


if __name__ == "__main__":
    main()
