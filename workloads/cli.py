"""Words on the command line → spark-node's verbs; the only place that prints errors and exits.

Verbs are imported when they are called: `spark-node --help` stays under 150 ms.
"""

from __future__ import annotations

import importlib
import json
import sys

import click

from workloads import errors

GROUPS = {
    "datasets": "Mirror versions of data sets from the object store onto this machine.",
    "images": "Make the label loop's container images, and look into them.",
    "label": "Turn an archive into labels and a model, with the people who know it.",
}


class Late(click.Group):
    """A group whose own groups are imported when they are called, so that help costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In order."""
        return sorted(GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """A group's package holds its verbs in `commands`, under the group's name."""
        if cmd_name not in GROUPS:
            return None
        command: click.Command = getattr(importlib.import_module(f"workloads.{cmd_name}.commands"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """One line a group, without importing it."""
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(GROUPS.items()))


@click.group(cls=Late)
def spark_node() -> None:
    """What a Spark does for the people who work on it.

    \b
    spark-node datasets sync      every described data set, whole and checked
    spark-node datasets status    what is here, and how the last sync ended
    spark-node datasets publish   a folder becomes a data set's next version
    spark-node label run          an archive becomes items to review, reviews become a model that serves
    spark-node label status       how far that is
    spark-node images build       the loop's container images, inspected, each with its bill of materials
    """  # noqa: D301  (click's mark for "do not re-wrap")


def main() -> int:
    """Run, print errors in their three parts; the exit code of their kind."""
    try:
        result = spark_node(prog_name="spark-node", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return errors.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again, it goes on where it stopped", err=True)
        return errors.INTERRUPTED
    except errors.NodeError as error:
        click.echo(f"spark-node: {error}", err=True)
        if "--json" in sys.argv:
            click.echo(json.dumps({"error": error.what, "next": error.next_step, "exit_code": error.exit_code}))
        return error.exit_code
    except SystemExit:  # no verb's: click's or rich's, when nobody reads any more: `spark-node images list | head`
        return errors.UNREAD
    return result if isinstance(result, int) else errors.OK


if __name__ == "__main__":
    sys.exit(main())
