"""A machine → a lab that runs: toolchain and base side by side, then hosts, store, tailnet if asked for, provisioning.

Safe to repeat.

What exists is left as it is; what is missing is made. `down` undoes it at any point.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab import env, provision, record, spark, stack, store, tailnet, toolchain
from lab.down import COMING_UP
from lab.errors import LabError
from lab.instance import host_names
from lab.spark import base

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.instance import Instance
    from lab.progress import Progress
    from lab.spark.factory import Variant


@dataclass(frozen=True)
class Lab:
    """What now exists."""

    instance: Instance
    stack: str
    hosts: list[str]
    tools: dict[str, Path]
    tailnet: bool = False
    urls: dict[str, str] = field(default_factory=dict)  # service → where it is reached on this machine


def up(  # noqa: PLR0913 - what a lab can be made of, all by name
    instance: Instance,
    progress: Progress,
    *,
    sparks: int | None,
    variant: Variant,
    provisioned: bool = True,
    with_tailnet: bool | None = None,
) -> Lab:
    """Make the lab; with `provisioned` sparkfleet is run on it as a user would. None: as it was made before."""
    with _alone(instance):
        made_of = stack.choose(instance, sparks, tailnet=with_tailnet)
        hosts = host_names(made_of.sparks)
        wanted = [*toolchain.NEEDED, *(toolchain.TAILNET if made_of.tailnet else ())]
        with ThreadPoolExecutor(2) as pool:
            tools_made = pool.submit(_tools, instance, wanted, progress)
            base_made = pool.submit(_base, progress)
            base_made.result()
            with progress.phase("hosts"), progress.step(f"booting {', '.join(hosts)} (simulated)"):
                spark.boot(instance, hosts, variant)
            tools = tools_made.result()
        with progress.phase("store"), progress.step("S3 and IAM servers"):
            store.up(instance, tools["versitygw"])
        if made_of.tailnet:
            with progress.phase("tailnet"), progress.step("control server, this machine's way in, package"):
                tailnet.up(instance, hosts, tools)
        urls = {}
        if provisioned:
            stack.write(instance, made_of.sparks, tailnet=made_of.tailnet)
            with progress.phase("provision"):
                urls = provision.provision(instance, made_of.stack, hosts, progress.step)
        return Lab(instance, made_of.stack, hosts, tools, made_of.tailnet, urls)


def _tools(instance: Instance, wanted: list[str], progress: Progress) -> dict[str, Path]:
    """Build what is missing and lay it into the folder that `make env` puts on PATH, but for the tailnet's.

    Those have one node each to speak to; a `tailscale` of the lab would hide the person's own.
    """
    with progress.phase("toolchain"):
        tools = toolchain.ensure(wanted, progress.step)
    folder = env.tools(instance)
    folder.mkdir(parents=True, exist_ok=True)
    ours = [tool for name, tool in tools.items() if name not in toolchain.TAILNET and toolchain.ours(tool)]
    for program in {beside for tool in ours for beside in tool.parent.iterdir()}:
        lay(program, folder / program.name)
    return tools


def lay(program: Path, target: Path) -> None:
    """A second name for the file: Pulumi looks for its language host beside where it really lies, past any symlink."""
    if target.exists() and target.samefile(program):
        return
    fresh = target.with_name(f".{target.name}.new")
    fresh.unlink(missing_ok=True)
    try:
        fresh.hardlink_to(program)
    except OSError:  # the cache is on another file system
        shutil.copy2(program, fresh)
    fresh.replace(target)


def _base(progress: Progress) -> None:
    with progress.phase("base"):
        base.ensure(progress.step)


@contextmanager
def _alone(instance: Instance) -> Iterator[None]:
    """Refuse to run beside another `up` of the same lab, and be found by `down` while this one runs."""
    record.claim(instance)
    if other := record.alive(instance, COMING_UP):
        raise LabError(f"the lab {instance.name!r} is coming up already (process {other})")
    record.note_self(instance, COMING_UP)
    try:
        yield
    finally:
        record.forget(instance, COMING_UP)
