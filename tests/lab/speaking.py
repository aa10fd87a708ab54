"""A line of shell → what a stand-in in factory state answers to its set-up user, or to root."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import paramiko

from lab import spark
from lab.spark import factory

if TYPE_CHECKING:
    from lab.instance import Instance


def say(instance: Instance, host: str, line: str, *, stdin: str = "", address: str = "") -> str:
    """Run a line as the set-up user, who logs in by password against the host key in the host's tree.

    `address` is another way to the host than the bridge.
    """
    public = (spark.tree(instance, host) / "etc/ssh/ssh_host_ed25519_key.pub").read_text().split()[1]
    key = paramiko.Ed25519Key(data=base64.b64decode(public))
    where = address or instance.address(host)
    with paramiko.SSHClient() as client:
        client.get_host_keys().add(where, key.get_name(), key)
        client.connect(
            where, username=factory.SETUP_USER, password=password(instance),
            look_for_keys=False, allow_agent=False, timeout=30, auth_timeout=60, banner_timeout=60,
        )  # fmt: skip
        channel, out, _ = client.exec_command(line, timeout=60)
        channel.write(stdin)
        channel.channel.shutdown_write()
        return out.read().decode().strip()


def as_root(instance: Instance, host: str, script: str, *, address: str = "") -> str:
    """Run a script as root; what it says on either stream."""
    whole = "sudo -S -p '' bash -c 'source /dev/stdin' 2>&1"
    return say(instance, host, whole, stdin=f"{password(instance)}\n{script}\n", address=address)


def password(instance: Instance) -> str:
    """The set-up user's."""
    return factory.password(instance).read_text().strip()
