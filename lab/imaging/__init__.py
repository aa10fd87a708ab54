"""An instance → the images of the label loop, built by the product's own verb on bases of Debian, inspected, runnable.

    python -m lab images           some eight minutes at first: it fetches what the stages need, 5 GB on the disk

engine   podman and runc from Debian's packages: real builds, real containers, real memory limits
bases    what NGC's images are on a Spark: Debian with Python, and Debian with the tritonserver of a wheel (simulated)
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from lab import shell, toolchain
from lab.imaging import bases, engine
from lab.instance import CHECKOUT
from lab.progress import silent

if TYPE_CHECKING:
    from pathlib import Path

    from lab.instance import Instance
    from lab.progress import Step


def build(instance: Instance, step: Step = silent, only: tuple[str, ...] = ()) -> dict[str, Any]:
    """What `spark-node images build` tells of each image; layers that are there are not made again."""
    program = engine.up(instance, step)
    base = bases.debian(instance, step)
    words: list[str | Path] = [
        sys.executable, "-m", "workloads.cli", "images", "build", *only, "--base", base, "--json",
        "--pip-config", bases.pip_config(instance), "--engine", program, "--out", folder(instance),
        "--engine-option=--network=host",
    ]  # fmt: skip
    if not only or "serve" in only:
        words += ["--serve-base", bases.triton(instance, base, step)]
    if not only or "store" in only:
        words += ["--program", toolchain.ensure(["versitygw"], step)["versitygw"].parent]
    with step(f"images {' '.join(only)}".strip()):
        made: dict[str, Any] = json.loads(shell.run(*words, cwd=CHECKOUT, env=engine.environment(instance)))
    return made


def folder(instance: Instance) -> Path:
    """images.json, bills of materials and the builds' log."""
    return instance.folder / "images"
