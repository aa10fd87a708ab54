"""packages.toml + this machine's mirror → the read-only tree under every stand-in, built once into the cache.

It holds what is equal on all hosts: Debian, the packages, the apt lists and the downloaded .debs. Who the host is
comes in the overlay (factory.py).
"""

from __future__ import annotations

import platform
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache, shell
from lab.errors import LabError
from lab.progress import silent
from lab.spark import apt

if TYPE_CHECKING:
    from lab.progress import Step

PACKAGES = Path(__file__).with_name("packages.toml")
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
APT_GET = ["apt-get", "--yes", "--quiet", "--no-install-recommends"]


def ensure(step: Step = silent) -> Path:
    """The base's folder, built first if it is missing (about a minute)."""
    found, settings = apt.sources(), apt.machine_settings()
    main = apt.release(codename(), found)
    lines = [source.line for source in found if source.codename.startswith(main.codename)]
    key = cache.digest(PACKAGES.read_bytes(), Path(__file__).read_bytes(), settings, *lines, *map(str, authorities()))

    def build(tree: Path) -> None:
        log = cache.root() / "base.log"
        log.write_text("")
        wanted = tomllib.loads(PACKAGES.read_text())
        with step(f"debootstrap of Debian {main.codename}"):
            shell.run(
                *shell.SEALED, "debootstrap", "--variant=minbase", f"--include={','.join(wanted['base'])}",
                main.release, tree, main.uri, log=log, env={**QUIET, **apt.proxy(settings)},
            )  # fmt: skip
        _teach_apt(tree, lines, settings)
        for text, words in (
            ("certificates of this machine", ["update-ca-certificates"]),
            ("package lists", [*APT_GET, "update"]),
            ("NetworkManager for the variant socket", [*APT_GET, "install", *wanted["network_manager"]]),
            ("packages the roles will install", [*APT_GET, "install", "--download-only", *wanted["downloaded"]]),
        ):
            with step(text):
                inside(tree, *words, log=log)
        _forget_identity(tree)

    return cache.once(f"base-{key}", build, step)


def codename() -> str:
    """The release of this machine, which its mirror serves for certain; raises LabError when it is not Debian."""
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian":
        raise LabError(
            f"this machine runs {system.get('PRETTY_NAME', 'an unknown system')}",
            next_step="the lab needs Debian (12 was tried), in a virtual machine if need be",
        )
    return system["VERSION_CODENAME"]


def authorities() -> list[Path]:
    """Certificates of this machine's own making, which its mirror or proxy may need."""
    return sorted(apt.LOCAL_AUTHORITIES.glob("*.crt"))


def inside(tree: Path, *words: str, stdin: str | None = None, log: Path | None = None) -> str:
    """Run a program of the tree in the tree, with /proc and without services being started."""
    return shell.run(*shell.SEALED, f"--root={tree}", *words, stdin=stdin, log=log, env=QUIET)


def _teach_apt(tree: Path, lines: list[str], settings: str) -> None:
    """The same archives by the same way as this machine, without descriptions in other languages."""
    (tree / "etc/apt/sources.list").write_text("".join(f"{line}\n" for line in lines))
    (tree / "etc/apt/apt.conf.d/90machine").write_text(f'{settings}Acquire::Languages "none";\n')
    for certificate in authorities():
        shutil.copy(certificate, tree / "usr/local/share/ca-certificates" / certificate.name)
    shutil.copy("/etc/resolv.conf", tree / "etc/resolv.conf")  # for the build alone: the factory writes each host's own


def _forget_identity(tree: Path) -> None:
    """Two hosts must never share host keys or a machine id."""
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (tree / "etc/machine-id").write_text("")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    (tree / "etc/resolv.conf").unlink()
    # Asleep unless the variant wants it: two network managers fight over the interface.
    for unit in ("NetworkManager", "NetworkManager-dispatcher", "NetworkManager-wait-online"):
        inside(tree, "systemctl", "disable", "--quiet", unit)
