"""A target → the settings that make OpenSSH (for people, Ansible, testinfra) trust exactly what a Session trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.host.connection import Target


def ssh_options(target: Target) -> list[str]:
    """The options of ssh, for Ansible; a host that is asked can change neither the pins nor this machine."""
    options = {
        "UserKnownHostsFile": _ssh_word(target.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": target.name,
        "StrictHostKeyChecking": "yes",
        "IdentityFile": _ssh_word(target.private_key),
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "UpdateHostKeys": "no",  # a host adds no keys to its own pins
        "ConnectTimeout": int(target.connect_timeout_s),
    }
    return ["-F", "none", *(word for name, value in options.items() for word in ("-o", f"{name}={value}"))]


def ssh_config(targets: list[Target]) -> str:
    """An OpenSSH client configuration for people and for testinfra; the first address of each host stands in it."""
    blocks = []
    for target in targets:
        blocks.append(
            f"Host {target.name}\n"
            f"  HostName {target.addresses[0]}\n  Port {target.port}\n  User {target.user}\n"
            f"  IdentityFile {_ssh_word(target.private_key)}\n  IdentitiesOnly yes\n"
            f"  HostKeyAlias {target.name}\n  UserKnownHostsFile {_ssh_word(target.known_hosts)}\n"
            f"  StrictHostKeyChecking yes\n  UpdateHostKeys no\n  ConnectTimeout {int(target.connect_timeout_s)}\n"
        )
    return "\n".join(blocks)


def _ssh_word(path: Path) -> str:
    """A path as OpenSSH's settings take it: it splits what is not quoted at spaces."""
    text = str(path.absolute())
    return f'"{text}"' if " " in text else text
