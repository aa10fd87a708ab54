"""A lab in factory state → provisioned by sparkfleet, with the very commands that its users type.

adopt every host → `pulumi stack init` once → `pulumi up` → tunnels to what the monitor host serves → a page of it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab import env, shell, spark, stack, tunnels
from lab.progress import silent
from lab.spark import factory

if TYPE_CHECKING:
    from lab.instance import Instance
    from lab.progress import Step

# Not a secret: Pulumi.lab.yaml holds a salt made with it, so that `pulumi` leaves that file as it is. The state of this
# project holds no secret by design; of your own stack, guard the passphrase.
PASSPHRASE = "simulated"  # noqa: S105 - see above

SPARK = Path(sys.executable).with_name("spark")


def provision(instance: Instance, stack_name: str, hosts: list[str], step: Step = silent) -> dict[str, str]:
    """Bring every host to its described state; returns service → URL on this machine. Safe to repeat."""
    words = env.process(instance, stack_name)
    for host in hosts:
        with step(f"adopting {host}"):
            shell.run(*shell.TIED, *adopt(instance, host), env=words, cwd=instance.root)
    init(instance, stack_name, words)
    with step(f"pulumi up (stack {stack_name})"):
        log = up_log(instance)
        log.write_text("")
        shell.run(*shell.TIED, "pulumi", "up", "--yes", "--color=never", env=words, cwd=instance.root, log=log)
    urls: dict[str, str] = {}
    description = stack.read(instance, stack_name)
    for host in stack.monitors(description)[:1]:
        with step(f"tunnels to {host}"):
            urls = tunnels.up(instance, host, stack.address(description, host))
        with step("spark status --html"):
            snapshot(instance, words)
    return urls


def snapshot(instance: Instance, words: dict[str, str]) -> None:
    """Write the fleet's page. It is for looking at: a Prometheus that is not ready must not fail a lab that is up."""
    fleet_page(instance).unlink(missing_ok=True)
    shell.run(*shell.TIED, SPARK, "status", "--html", fleet_page(instance), env=words, cwd=instance.root, check=False)


def fleet_page(instance: Instance) -> Path:
    """Where the snapshot lies; not there when none could be made."""
    return instance.folder / "fleet.html"


def adopt(instance: Instance, host: str) -> list[str]:
    """The words of `spark adopt`, with the fingerprint that an owner reads on the machine's console."""
    return [
        str(SPARK), "adopt", host,
        "--user", factory.SETUP_USER,
        "--password-file", str(factory.password(instance)),
        "--fingerprint", factory.fingerprint(spark.tree(instance, host)),
        "--keys", "drop",
    ]  # fmt: skip


def init(instance: Instance, stack_name: str, words: dict[str, str]) -> None:
    """Make the state's backend and the stack in it when they are missing."""
    (instance.folder / "pulumi").mkdir(parents=True, exist_ok=True)
    if not env.passphrase_file(instance).exists():
        factory.private(env.passphrase_file(instance), PASSPHRASE + "\n")
    shell.run("pulumi", "stack", "select", "--create", "--stack", stack_name, env=words, cwd=instance.root)


def up_log(instance: Instance) -> Path:
    """What `pulumi up` said."""
    return instance.folder / "run" / "pulumi-up.log"
