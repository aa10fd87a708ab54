"""requirements/bench.txt → a virtual environment with the peers in the cache, made once per lock.

pyinfra and fabric want different majors of paramiko, so the peer cannot live in the project's own environment.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lab import cache, shell
from lab.instance import CHECKOUT
from lab.toolchain import go

if TYPE_CHECKING:
    from pathlib import Path

LOCK = CHECKOUT / "requirements" / "bench.txt"


def program(name: str) -> Path:
    """The program `name` (pyinfra, nvitop-exporter) of the locked version."""

    def build(folder: Path) -> None:
        uv, settings = go.uv(), {"UV_CACHE_DIR": str(cache.root() / "uv")}
        # Relocatable: the cache builds under another name and renames when everything is there.
        shell.run(uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, folder / "venv", env=settings)
        shell.run(
            uv, "pip", "install", "--quiet", "--compile-bytecode", "--require-hashes",
            "--python", folder / "venv" / "bin" / "python", "--requirement", LOCK, env=settings,
        )  # fmt: skip

    return cache.once(f"bench-{cache.digest(LOCK.read_bytes())}", build) / "venv" / "bin" / name
