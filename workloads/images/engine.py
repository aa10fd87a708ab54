"""podman or docker → images that are built, saved, looked at; the one place that runs the engine."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from workloads.errors import ConfigError, NodeError, printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KNOWN = ("docker", "podman")  # DGX OS brings Docker
SHOWN_LINES = 12


def find(name: str = "") -> str:
    """The engine that is named, or the first one that is installed; raises ConfigError."""
    for each in [name] if name else KNOWN:
        if found := shutil.which(each):
            return found
    raise ConfigError(
        f"{name or ' and '.join(KNOWN)}: not installed", next_step="install an engine, or name it with --engine."
    )


def build(words: Sequence[str], log: Path) -> None:
    """Run a build; what it says goes to `log`. Raises NodeError with its last lines."""
    with log.open("ab") as sink:
        done = subprocess.run(words, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]
        raise NodeError(
            f"the build ended with status {done.returncode}: {' | '.join(printable(line) for line in said)}",
            usually="the package index or the disk, else what the last lines say",
            next_step=f"see {log}; run again: finished layers are kept.",
        )


def inspect(engine: str, image: str) -> dict[str, Any]:
    """What it knows of an image; raises NodeError when there is none."""
    done = subprocess.run([engine, "image", "inspect", image], capture_output=True, check=False)
    if done.returncode:
        raise NodeError(f"no image {printable(image)} is here", next_step="`spark-node images build`, or pull it.")
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def inspected(engine: str, image: str, tools: str, name: str) -> dict[str, Any]:
    """What the image `tools` finds in another one, saved into its standard input; raises NodeError."""
    reader = [
        engine, "run", "--rm", "--interactive", "--network", "none", "--read-only", "--cap-drop", "all",
        "--security-opt", "no-new-privileges", tools, name, image,
    ]  # fmt: skip
    format_ = ["--format", "docker-archive"] if "podman" in engine.rpartition("/")[2] else []
    with subprocess.Popen([engine, "save", *format_, image], stdout=subprocess.PIPE) as saving:
        done = subprocess.run(reader, stdin=saving.stdout, capture_output=True, check=False)
        if saving.stdout:
            saving.stdout.close()  # else it waits for a reader that has ended
    if done.returncode:
        said = printable(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
        raise NodeError(f"{name} could not be inspected: {said}", next_step="see that the disk has room for its copy.")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
