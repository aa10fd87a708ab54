"""A stand-in that is to be the fleet's authority → step-ca on it, as a host has it that is described without a URL."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab import toolchain
from lab.progress import silent
from lab.spark import machine

if TYPE_CHECKING:
    from lab.instance import Instance
    from lab.progress import Step

PROGRAM = Path("usr/local/bin/step-ca")


def install(instance: Instance, host: str, step: Step = silent) -> None:
    """Put the program where the role looks for it; built first if it is missing (minutes)."""
    built = toolchain.ensure(["step-ca"], step)["step-ca"]
    target = machine.tree(instance, host) / PROGRAM
    unfinished = target.with_name(".step-ca")
    shutil.copyfile(built, unfinished)
    unfinished.chmod(0o755)
    unfinished.rename(target)
