"""Words on the command line → the lab's verbs. The only file here that prints and exits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lab import calypso as triton
from lab import down as downing
from lab import env as environment
from lab import gb10, imaging, labelling, network, record, spark, stack, summary, tailnet
from lab import up as upping
from lab.errors import LabError
from lab.instance import OCTETS, Instance
from lab.progress import Progress
from lab.spark import factory, outdated

if TYPE_CHECKING:
    from collections.abc import Callable


def named(command: Callable[..., Any]) -> Callable[..., Any]:
    """The option that says which lab is meant."""
    return click.option("--name", type=click.Choice(list(OCTETS)), default="lab", show_default=True)(command)


@click.group()
def verbs() -> None:
    """A fleet on one machine: real systemd, SSH, Pulumi, S3 and IAM; simulated DGX Sparks."""


@verbs.command()
@named
@click.option("--sparks", type=click.IntRange(1, 90), help="how many stand-ins: as before, or 1")
@click.option("--variant", type=click.Choice(factory.VARIANTS), default="classic", show_default=True)
@click.option("--tailnet/--no-tailnet", "with_tailnet", default=None, help="a tailnet of its own: as before, or none")
@click.option("--provision/--no-provision", "provisioned", default=True, help="run `spark adopt` and `pulumi up` on it")
def up(
    name: str, sparks: int | None, variant: factory.Variant, *, with_tailnet: bool | None, provisioned: bool
) -> None:
    """Make what is missing of a lab and say what there is."""
    with Progress() as progress:
        lab = upping.up(
            Instance.named(name), progress,
            sparks=sparks, variant=variant, with_tailnet=with_tailnet, provisioned=provisioned,
        )  # fmt: skip
        summary.show(lab, progress)


@verbs.command()
@click.option("--name", default="lab", show_default=True)
@click.option("--all", "everything", is_flag=True, help="every lab of this machine, whatever checkout made it")
def down(name: str, *, everything: bool) -> None:
    """Remove a lab: processes, mounts, network, files."""
    for one in downing.existing() if everything else [name]:
        downing.down(one)
        click.echo(f"{one}: removed")


@verbs.command()
@named
def env(name: str) -> None:
    """Print the exports that make `pulumi` and `spark` work on the lab, for `eval`."""
    instance = Instance.named(name)
    click.echo(environment.shell_lines(instance, stack.remembered(instance)))


@verbs.command()
@named
@click.argument("host")
def halt(name: str, host: str) -> None:
    """Power one stand-in off; its state is kept."""
    spark.halt(Instance.named(name), host)


@verbs.command()
@named
@click.argument("host")
def boot(name: str, host: str) -> None:
    """Power one stand-in on."""
    spark.boot(Instance.named(name), [host])


@verbs.command()
@named
@click.argument("host")
@click.argument("scenario", type=click.Choice(gb10.names()))
def scenario(name: str, host: str, scenario: str) -> None:
    """Let the simulated GB10 of HOST replay SCENARIO."""
    gb10.load(spark.tree(Instance.named(name), host), scenario)


@verbs.command()
@named
@click.option("--stop", is_flag=True, help="end it")
def calypso(name: str, *, stop: bool) -> None:
    """Start a Triton server beside the lab and say where it is reached."""
    instance = Instance.named(name)
    if stop:
        triton.stop(instance)
        return
    record.claim(instance)
    network.up(instance)
    with Progress() as progress:
        click.echo(triton.up(instance, triton.ensure(progress.step)))


@verbs.command()
@named
def label(name: str) -> None:
    """Start what the label loop speaks to: Label Studio, Calypso and its bucket; say where they are."""
    instance = Instance.named(name)
    record.claim(instance)
    with Progress() as progress:
        labelling.up(instance, progress.step)
        labelling.show(instance, progress.console)


@verbs.command()
@named
@click.argument("only", nargs=-1)
def images(name: str, only: tuple[str, ...]) -> None:
    """Build the label loop's images ONLY, or all, in a container engine of the lab's own."""
    instance = Instance.named(name)
    record.claim(instance)
    with Progress() as progress:
        for image, told in imaging.build(instance, progress.step, only).items():
            click.echo(f"{image}  {told['id']}  {told['stored_bytes'] / 1e9:.2f} GB, {told['packages']} packages")
        click.echo(f"engine: {imaging.engine.program(instance)}")


@verbs.command()
@named
@click.argument("host")
def outdate(name: str, host: str) -> None:
    """Give HOST a simulated kernel and driver of last month, and newer ones to `spark upgrade` to."""
    outdated.outdate(spark.tree(Instance.named(name), host))


@verbs.command()
@named
def status(name: str) -> None:
    """What exists and what runs."""
    instance = Instance.named(name)
    for folder in sorted((instance.folder / "hosts").glob("spark-*")):
        power = "on" if spark.running(instance, folder.name) else "off"
        click.echo(f"{folder.name}  {instance.address(folder.name)}  power {power}  (simulated)")
    for label in record.labels(instance):
        click.echo(f"{label}: {'running' if record.alive(instance, label) else 'ended'}")
    for node in tailnet.admin(instance).nodes().values() if tailnet.running(instance) else ():
        state = "expired" if node.expired else "online" if node.online else "offline"
        click.echo(f"tailnet: {node.name}  {node.addresses[0]}  {state}  {' '.join(node.tags)}")


def main() -> None:
    """Run a verb; a LabError is shown without a traceback and ends with status 1."""
    try:
        verbs()
    except LabError as error:
        click.echo(f"lab: {error}", err=True)
        sys.exit(1)
