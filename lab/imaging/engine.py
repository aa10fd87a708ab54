"""An instance → a container engine of its own: podman and runc from Debian's packages, unpacked, not installed.

Its images, containers and settings lie in the instance's folder; this machine's own engine is left alone.
Containers have the machine's network or none: no bridge is made. crun would refuse a machine with both kinds of control
groups, runc takes it. Not like a Spark: no GPU, and the engine is not Docker.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache, shell
from lab.progress import silent
from lab.spark import base

if TYPE_CHECKING:
    from lab.instance import Instance
    from lab.progress import Step

PACKAGES = (
    "podman", "buildah", "conmon", "runc", "golang-github-containers-common", "golang-github-containers-image",
    "libgpgme11", "libassuan0", "libsubid4",
)  # fmt: skip
GROUPS = "libpod_parent"  # below each controller: podman's name
POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}\n'  # nothing is pulled here: all is built or imported


def up(instance: Instance, step: Step = silent) -> Path:
    """The program `podman` of this instance; made first when it is missing. Containers need root."""
    found = unpacked(step)
    files = settings(folder(instance), found)
    for path, (text, mode) in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    for part in ("run", "temporary"):
        (folder(instance) / part).mkdir(exist_ok=True)
    return program(instance)


def program(instance: Instance) -> Path:
    """The podman of this instance."""
    return folder(instance) / "bin" / "podman"


def folder(instance: Instance) -> Path:
    """Its settings, images and containers."""
    return instance.folder / "engine"


def environment(instance: Instance) -> dict[str, str]:
    """So that a program finds this podman first."""
    return {"PATH": f"{program(instance).parent}:{os.environ['PATH']}"}


def remove(instance: Instance) -> None:
    """End all containers; their files go with the instance's folder."""
    if program(instance).exists():
        shell.run(program(instance), "rm", "--all", "--force", "--time", "0", check=False)
    groups = [*Path("/sys/fs/cgroup").glob(f"*/{GROUPS}"), *Path("/sys/fs/cgroup").glob(f"*/{GROUPS}/**/")]
    for group in sorted(set(groups), reverse=True):  # what lies in a group before the group
        with suppress(OSError):  # another instance's containers are in it
            group.rmdir()


def settings(place: Path, unpacked: Path) -> dict[Path, tuple[str, int]]:
    """What the engine is told, path → text and mode. Pure."""
    libraries = ":".join(str(each) for each in (unpacked / "usr/lib").glob("*-linux-gnu"))
    limit = 4096  # what podman asks for by itself is more than a machine without CAP_SYS_RESOURCE may give
    containers = f"""\
[containers]
seccomp_profile = "{unpacked}/usr/share/containers/seccomp.json"
default_ulimits = ["nofile={limit}:{limit}", "nproc={limit}:{limit}"]
[network]
network_config_dir = "{place}/run/networks"
[engine]
tmp_dir = "{place}/run/libpod"
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
conmon_path = ["{unpacked}/usr/bin/conmon"]
[engine.runtimes]
runc = ["{place}/bin/runc"]
"""
    storage = f'[storage]\ndriver = "overlay"\ngraphroot = "{place}/storage"\nrunroot = "{place}/run/storage"\n'
    variables = {
        "LD_LIBRARY_PATH": libraries,
        "CONTAINERS_CONF": f"{place}/containers.conf",
        "CONTAINERS_STORAGE_CONF": f"{place}/storage.conf",
        "CONTAINERS_REGISTRIES_CONF": f"{unpacked}/etc/containers/registries.conf",
        "XDG_RUNTIME_DIR": f"{place}/run",
        "TMPDIR": f"{place}/temporary",
        "BUILDAH_ISOLATION": "oci",
        "HOME": f"{place}/home",
    }
    exports = "".join(f"export {name}='{value}'\n" for name, value in variables.items())
    return {
        place / "containers.conf": (containers, 0o644),
        place / "storage.conf": (storage, 0o644),
        place / "home/.config/containers/policy.json": (POLICY, 0o644),
        place / "bin/podman": (f'#!/bin/sh\n{exports}exec {unpacked}/usr/bin/podman "$@"\n', 0o755),
        # conmon starts it without any variable.
        place / "bin/runc": (
            f"#!/bin/sh\nexport LD_LIBRARY_PATH='{libraries}'\nexec {unpacked}/usr/sbin/runc \"$@\"\n", 0o755
        ),
    }  # fmt: skip


def unpacked(step: Step = silent) -> Path:
    """The packages' files, in the cache."""

    def build(tree: Path) -> None:
        shell.run("apt-get", "--quiet", "-o", "APT::Sandbox::User=root", "download", *PACKAGES, cwd=tree)
        for package in tree.glob("*.deb"):
            shell.run("dpkg", "-x", package, tree)
            package.unlink()

    with step("container engine"):
        return cache.once(f"engine-{cache.digest(base.codename(), *PACKAGES)}", build, step)
