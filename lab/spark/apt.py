"""This machine's apt → the sources and settings that a stand-in needs to use the same mirror.

No mirror stands in our files: apt itself is asked what it uses, so both formats of sources are understood, and only
what carries Debian's own origin is taken (a stand-in has no use for the rest, and lacks its keys).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab import shell
from lab.errors import LabError

TARGET = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)"
LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
# Settings of the machine that say how to reach a mirror; the rest (caches, hooks, cdrom) is its own business.
CARRIED = ("Acquire::http", "Acquire::https", "Acquire::Check-", "Acquire::Retries", "Acquire::Force")
# Name a program or a file of this machine, which the stand-in lacks.
LEFT = ("ProxyAutoDetect", "Proxy-Auto-Detect", "CAInfo", "SslCert", "SslKey")


@dataclass(frozen=True)
class Source:
    """One archive of Debian: where, which release, which components."""

    uri: str
    release: str
    codename: str
    components: tuple[str, ...]

    @property
    def line(self) -> str:
        """As it stands in sources.list."""
        return f"deb {self.uri} {self.release} {' '.join(self.components)}"


def parse(targets: str) -> list[Source]:
    """Lines in the form of TARGET → Debian's archives among them, in apt's order."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for line in targets.splitlines():
        origin, uri, release, codename, component = line.split("|")
        if origin == "Debian":
            found.setdefault((uri, release, codename), []).append(component)
    return [Source(*key, tuple(dict.fromkeys(components))) for key, components in found.items()]


def sources() -> list[Source]:
    """Debian's archives as this machine reaches them; the list is refreshed when it was emptied."""
    for attempt in range(2):
        if found := parse(shell.run("apt-get", "indextargets", "--format", TARGET, "Created-By: Packages")):
            return found
        if attempt == 0:
            shell.run("apt-get", "update")
    raise LabError(
        "apt on this machine has no source whose origin is Debian",
        next_step="the lab runs on Debian; add Debian's archive to /etc/apt/sources.list and run `apt-get update`",
    )


def release(codename: str, found: list[Source]) -> Source:
    """The main archive of the release itself, which debootstrap starts from."""
    for source in found:
        if source.codename == codename and "main" in source.components:
            return source
    raise LabError(
        f"apt on this machine has no source for Debian {codename}, component main",
        next_step="add it to /etc/apt/sources.list and run `apt-get update`",
    )


def settings(dump: str, environment: dict[str, str]) -> str:
    """`apt-config dump` and the proxy variables of the shell → the lines for the stand-in's apt.conf.d."""
    lines = [
        line
        for line in dump.splitlines()
        if line.startswith(CARRIED) and not any(word in line.partition(" ")[0] for word in LEFT)
    ]
    for scheme in ("http", "https"):
        proxy = environment.get(f"{scheme}_proxy") or environment.get(f"{scheme.upper()}_PROXY")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy ") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    return "".join(f"{line}\n" for line in lines)


def machine_settings() -> str:
    """What this machine's apt is told about reaching mirrors."""
    return settings(shell.run("apt-config", "dump", "--no-empty", "--format", '%F "%v";%n'), dict(os.environ))


def proxy(text: str) -> dict[str, str]:
    """The same settings as environment variables, for debootstrap's downloader."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.rstrip(";").partition(" ")
        if name in {"Acquire::http::Proxy", "Acquire::https::Proxy"}:
            found[f"{name.split('::')[1]}_proxy"] = value.strip('"')
    return found
