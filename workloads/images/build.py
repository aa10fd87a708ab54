"""Bases, locks and this package → the folder that an engine builds from, and the words to start it with.

The folder holds what images need and nothing else: nobody's state, settings or secrets, whatever a checkout has.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workloads.errors import ConfigError, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).resolve().parent
PINNED = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
INSTALL = "install.sh"
BUILD = "build"  # the lock of what builds packages that are published as source
Torch = Literal["lock", "base"]
# What the lock brings for torch's sake; NGC's PyTorch images have their own, made for their CUDA.
TORCHS = re.compile(r"(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")
HASH_LINE = re.compile(r"\s+(--hash=|#)")


@dataclass(frozen=True)
class Recipe:
    """How an image is made: the Containerfile's stem, its target, the lock it installs, the base it wants."""

    file: str
    target: str
    lock: str = ""
    base: Literal["base", "serve_base"] = "base"
    program: bool = False  # wants the build context `program`


RECIPES = {
    "tools": Recipe("tools", "tools", "images"),  # the first: it inspects the others
    "convert": Recipe("stages", "convert", "label"),
    "train": Recipe("stages", "train", "label"),
    "label": Recipe("label", "label", "review"),
    "store": Recipe("store", "store", program=True),
    "serve": Recipe("serve", "serve", base="serve_base"),
}


@dataclass(frozen=True)
class Wanted:
    """What a person asks for. Paths are of this machine; `options` go to the engine as they are."""

    base: str
    serve_base: str = ""
    program: Path | None = None
    torch: Torch = "lock"
    pip_config: Path | None = None
    options: tuple[str, ...] = ()


def chosen(only: Iterable[str], wanted: Wanted) -> list[str]:
    """The images to make, in order; without `only` all that there is a base or a program for. Raises ConfigError."""
    names = set(only)
    if unknown := sorted(names - RECIPES.keys()):
        raise ConfigError(
            f"{', '.join(map(printable, unknown))}: no such image", next_step=f"one of {', '.join(RECIPES)}."
        )
    for what, base in (("--base", wanted.base), ("--serve-base", wanted.serve_base)):
        if base and not PINNED.fullmatch(base):
            raise ConfigError(
                f"{what} {printable(base)}: not pinned by digest",
                usually="a tag, which whoever publishes it may move",
                next_step="name it as IMAGE@sha256:…; `docker buildx imagetools inspect IMAGE` tells the digest.",
            )
    lacking = {name: lacks(recipe, wanted) for name, recipe in RECIPES.items()}
    if names and (said := [f"{name} needs {lacking[name]}" for name in sorted(names) if lacking[name]]):
        raise ConfigError("; ".join(said), next_step="name it, or leave the image out.")
    return [name for name in RECIPES if name == "tools" or (name in names if names else not lacking[name])]


def lacks(recipe: Recipe, wanted: Wanted) -> str:
    """The option without which an image cannot be made, or nothing."""
    if recipe.program and wanted.program is None:
        return "--program"
    return "" if getattr(wanted, recipe.base) else f"--{recipe.base.replace('_', '-')}"


def without_torch(lock: str) -> str:
    """The lock without torch and what comes with it: the base image brings them. Comments go, too."""
    kept, taken = [], False
    for line in lock.splitlines():
        if line and not HASH_LINE.match(line):
            taken = bool(TORCHS.match(line))
        if not taken and not line.lstrip().startswith("#"):
            kept.append(line)
    return "\n".join(kept) + "\n"


def context(root: Path, torch: Torch) -> dict[str, bytes]:
    """The folder to build from, name → content; `root`: the checkout. Raises ConfigError where there is none."""
    locks = {*(recipe.lock for recipe in RECIPES.values() if recipe.lock), BUILD}
    try:
        files = {f"locks/{name}.txt": (root / "requirements" / f"{name}.txt").read_bytes() for name in sorted(locks)}
    except OSError:
        raise ConfigError(
            f"{root}: no checkout of the project",
            usually="the installed spark-node brings no locks and no Containerfiles",
            next_step="build in a checkout, or name one with --checkout.",
        ) from None
    if torch == "base":
        files["locks/label.txt"] = without_torch(files["locks/label.txt"].decode()).encode()
    package = root / "workloads"
    for file in sorted(package.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and not file.name.startswith("."):
            files[f"lib/{file.relative_to(root)}"] = file.read_bytes()
    for file in (package / "images").iterdir():
        if file.suffix == ".Containerfile" or file.name == INSTALL:
            files[file.name] = file.read_bytes()
    return files


def inputs(recipe: Recipe, files: dict[str, bytes]) -> str:
    """The digest of what is mounted into a build instead of copied: its change must be a change of the words."""
    return hashlib.sha256(
        files[INSTALL] + files.get(f"locks/{recipe.lock}.txt", b"") + files[f"locks/{BUILD}.txt"]
    ).hexdigest()


def tag(name: str, files: dict[str, bytes], base: str) -> str:
    """A name for people, which changes with anything that the image is made of; what counts is the id."""
    total = hashlib.sha256(base.encode())
    for path, content in sorted(files.items()):
        total.update(path.encode() + b"\0" + hashlib.sha256(content).digest())
    return f"localhost/sparkfleet/{name}:{total.hexdigest()[:12]}"


def words(  # noqa: PLR0913
    engine: str, name: str, wanted: Wanted, files: dict[str, bytes], *, folder: Path, id_file: Path
) -> list[str]:
    """The command that makes an image from `folder` and writes its id to `id_file`."""
    recipe = RECIPES[name]
    base = wanted.base if recipe.base == "base" else wanted.serve_base
    made = [engine, "build", "--file", str(folder / f"{recipe.file}.Containerfile"), "--target", recipe.target]
    made += ["--build-arg", f"BASE={base}", "--build-arg", f"INPUTS={inputs(recipe, files)}"]
    if recipe.lock == "label":
        made += ["--build-arg", f"TORCH={wanted.torch}"]
    if recipe.lock and wanted.pip_config:
        made += ["--secret", f"id=pip,src={wanted.pip_config}"]
    if recipe.program:
        made += ["--build-context", f"program={wanted.program}"]
    if engine.endswith("podman"):
        made += ["--format", "docker"]  # the other one has no place for a health check
    return [*made, *wanted.options, "--tag", tag(name, files, base), "--iidfile", str(id_file), str(folder)]
