"""A hashed lock in requirements/ → a Python environment of its own in the cache, made once, shared by all checkouts.

label    what the stages of workloads/label run with: torch, transformers, Docling, ONNX Runtime (5 GB on the disk)
review   Label Studio, the server
ray      what machines share work with (workloads/label/spreading)
rolesanywhere   AWS' own client of IAM Roles Anywhere, for tests
triton   NVIDIA's tritonserver, as nvidia-pytriton brings it
checkov  reads the plan of the AWS side (tests)
moto     AWS's interfaces on this machine (tests)
nodejs   Node.js, which runs the evaluator of AWS's policies (tests)
"""

from __future__ import annotations

import sys
import sysconfig
from typing import TYPE_CHECKING

from lab import cache, shell
from lab.instance import CHECKOUT
from lab.progress import silent
from lab.toolchain import go

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.progress import Step


def lock(name: str) -> Path:
    """The file that says what is in it, with a hash for each."""
    return CHECKOUT / "requirements" / f"{name}.txt"


def ensure(name: str, step: Step = silent, finish: Callable[[Path], None] | None = None) -> Path:
    """The folder of environment `name`; `finish` completes a new one before anybody sees it."""

    def build(folder: Path) -> None:
        uv, settings = go.uv(), {"UV_CACHE_DIR": str(cache.root() / "uv")}
        # Relocatable: the cache builds under another name and renames when everything is there.
        shell.run(uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, folder / "venv", env=settings)
        shell.run(
            uv, "pip", "install", "--quiet", "--require-hashes",
            "--python", folder / "venv" / "bin" / "python", "--requirement", lock(name), env=settings,
        )  # fmt: skip
        if finish:
            finish(folder)

    minor = sysconfig.get_python_version()
    with step(f"Python environment {name}"):
        return cache.once(f"{name}-{cache.digest(lock(name).read_bytes(), minor)}", build, step)


def python(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "venv" / "bin" / "python"


def packages(folder: Path) -> Path:
    """Where its packages lie."""
    return folder / "venv" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
