"""An instance → the images that its own are built on, named by digest, as NGC's are on a Spark.

Debian comes from this machine's mirror by debootstrap; tritonserver from the wheel that the lab's Calypso runs.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache, calypso, environments, shell
from lab.imaging import engine
from lab.progress import silent
from lab.spark import apt, base, pip

if TYPE_CHECKING:
    from lab.instance import Instance
    from lab.progress import Step

INCLUDED = ("python3", "python3-venv", "libpython3-stdlib", "libpython3.11", "ca-certificates")
DEBIAN, TRITON = "localhost/lab-debian", "localhost/lab-triton"
SERVE = Path(__file__).with_name("triton.Containerfile")
NOTHING = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man", "var/log")


def debian(instance: Instance, step: Step = silent) -> str:
    """Debian with Python: the tree from the cache, imported once."""
    tree = _tree(step)
    name = f"{DEBIAN}:{tree.name.rpartition('-')[2]}"
    podman = engine.program(instance)
    if not shell.run(podman, "images", "--quiet", name, check=False).strip():
        with step("base image"):
            shell.run("sh", "-c", 'tar --create --directory "$0" . | "$1" import --quiet - "$2"', tree, podman, name)
    return pinned(instance, name)


def triton(instance: Instance, lower: str, step: Step = silent) -> str:
    """The same with tritonserver and the lab's backend for ONNX: what `serve` is built on. Simulated: no GPU."""
    name = f"{TRITON}:{cache.digest(lower, environments.lock('triton').read_bytes(), SERVE.read_bytes())}"
    podman, place = engine.program(instance), instance.folder / "triton-base"
    if not shell.run(podman, "images", "--quiet", name, check=False).strip():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        shutil.copy2(environments.lock("triton"), place)
        shutil.copy2(calypso.ONNX, place)
        with step("base image of serve"):
            shell.run(
                podman, "build", "--format=docker", "--network=host", "--build-arg", f"BASE={lower}",
                "--secret", f"id=pip,src={pip_config(instance)}", "--file", SERVE, "--tag", name, place,
            )  # fmt: skip
    return pinned(instance, name)


def pinned(instance: Instance, name: str) -> str:
    """NAME@sha256:… of an image that is there."""
    digest = shell.run(engine.program(instance), "image", "inspect", "--format", "{{.Digest}}", name).strip()
    return f"{name.rpartition(':')[0]}@{digest}"


def pip_config(instance: Instance) -> Path:
    """How this machine reaches its package index; a secret of the build, in no layer."""
    file = engine.folder(instance) / "pip.conf"
    file.write_text(pip.machine_settings())
    file.chmod(0o600)
    return file


def _tree(step: Step) -> Path:
    found, settings = apt.sources(), apt.machine_settings()
    main = apt.release(base.codename(), found)

    def build(tree: Path) -> None:
        log = cache.root() / "image-base.log"
        with step(f"debootstrap of Debian {main.codename}, for images"):
            shell.run(
                *shell.SEALED, "debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}",
                main.release, tree, main.uri, log=log, env={**base.QUIET, **apt.proxy(settings)},
            )  # fmt: skip
        for certificate in base.authorities():
            shutil.copy(certificate, tree / "usr/local/share/ca-certificates" / certificate.name)
        base.inside(tree, "update-ca-certificates", log=log)
        for place in NOTHING:
            shutil.rmtree(tree / place)
            (tree / place).mkdir()
        (tree / "etc/machine-id").write_text("")

    key = cache.digest(main.uri, main.codename, *INCLUDED, *map(str, base.authorities()))
    return cache.once(f"image-base-{key}", build, step)
