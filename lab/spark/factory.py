"""A host's name and variant → its overlay as the factory would leave that Spark.

A set-up user whose sudo asks for a password, host keys nobody knows yet, a key that the vendor left behind, the
identity files of a DGX Spark and a simulated GB10. Every file under `files/` lies where it lies on the host.
"""

from __future__ import annotations

import secrets
import string
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lab import gb10, network, shell
from lab.spark import base, pip

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.instance import Instance

Variant = Literal["classic", "socket"]
VARIANTS: tuple[Variant, ...] = ("classic", "socket")
FILES = Path(__file__).with_name("files")
PRIVATE = (".nmconnection", ".yaml")  # NetworkManager ignores its own otherwise, netplan complains
OLLAMA = Path("usr/local/bin/ollama")
SETUP_USER = "nvidia"
# classic: what Debian has. socket: what Ubuntu 24.04, and so DGX OS, has.
ENABLED: dict[Variant, list[str]] = {
    "classic": ["systemd-networkd.service", "ssh.service"],
    "socket": ["NetworkManager.service", "ssh.socket"],
}
DISABLED: dict[Variant, list[str]] = {
    "classic": ["systemd-networkd-wait-online.service", "ssh.socket"],
    "socket": ["systemd-networkd.service", "ssh.service"],
}


def password(instance: Instance) -> Path:
    """The file with the set-up user's password, one for all stand-ins of a lab; made when it is missing."""
    return secret(instance.secrets / "setup-password", lambda: secrets.token_urlsafe(12) + "\n")


def secret(file: Path, make: Callable[[], str]) -> Path:
    """The file, 0600; what `make` returns is in it when there was none."""
    if not file.exists():
        private(file, make())
    return file


def private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False) as handle:  # its mode is 0600
        handle.write(text)
    Path(handle.name).rename(file)


def make(instance: Instance, host: str, root: Path, variant: Variant) -> None:
    """Write the factory state into `root`, the host's mounted tree."""
    base.inside(root, "useradd", "--create-home", "--shell=/bin/bash", "--groups=sudo", SETUP_USER)
    base.inside(root, "chpasswd", stdin=f"{SETUP_USER}:{password(instance).read_text().strip()}\n")
    words = {
        "host": host,
        "address": instance.address(host),
        "gateway": instance.gateway,
        "address6": instance.address6(host),
    }
    for part in ("all", variant):
        for source in sorted(p for p in (FILES / part).rglob("*") if p.is_file()):
            target = root / source.relative_to(FILES / part)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(string.Template(source.read_text()).substitute(words))
            if target.suffix in PRIVATE:
                target.chmod(0o600)
    base.inside(root, "chown", "-R", f"{SETUP_USER}:", f"/home/{SETUP_USER}/.ssh")
    base.inside(root, "chmod", "-R", "u=rwX,go=", f"/home/{SETUP_USER}/.ssh")
    (root / "etc/machine-id").write_text(secrets.token_hex(16) + "\n")
    (root / "etc/resolv.conf").write_text("".join(f"nameserver {n}\n" for n in network.nameservers()))
    (root / "etc/pip.conf").write_text(pip.machine_settings())
    shell.run("ssh-keygen", "-A", "-f", root)
    base.inside(root, "systemctl", "enable", "--quiet", *ENABLED[variant])
    base.inside(root, "systemctl", "disable", "--quiet", *DISABLED[variant])
    gb10.install(root)
    gb10.replace(root / OLLAMA, (FILES.parent / "ollama.py").read_text(), mode=0o755)


def fingerprint(root: Path) -> str:
    """`SHA256:…` of the host's ed25519 key, as an owner reads it from the console of a machine in front of them."""
    return shell.run("ssh-keygen", "-l", "-f", root / "etc/ssh/ssh_host_ed25519_key.pub").split()[1]
