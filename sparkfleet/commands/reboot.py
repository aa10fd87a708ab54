"""`spark reboot`: one host after the other, each one back and well before the next goes down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sparkfleet.commands.upgrade import Wish, carry_out, options

if TYPE_CHECKING:
    from sparkfleet.cli import Project


@click.command()
@options
@click.pass_obj
def reboot(project: Project, /, **wish: Any) -> int:
    """Reboot HOSTS (default: all), one after the other, ring after ring; no package changes.

    What `spark upgrade` does around a reboot is done here too: a host with a job on its GPU is refused, what serves is
    stopped and started again, the kernel that comes next is looked at first, and the proof is another boot id. The
    first host that is not well afterwards stops it.

    \b
    Example: spark reboot spark-02
    """  # noqa: D301
    return carry_out(project, "reboot", Wish(**wish))
