"""What sshd offers to whoever comes, read from the first packet that it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

KEY_EXCHANGES = {
    "mlkem768x25519-sha256", "sntrup761x25519-sha512", "sntrup761x25519-sha512@openssh.com", "curve25519-sha256",
    "curve25519-sha256@libssh.org",
}  # fmt: skip
CIPHERS = {
    "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr", "aes192-ctr",
    "aes128-ctr",
}  # fmt: skip
MACS = {"hmac-sha2-512-etm@openssh.com", "hmac-sha2-256-etm@openssh.com", "umac-128-etm@openssh.com"}
PRIVATE_KEY = "/etc/ssh/ssh_host_ed25519_key"


def only(offered: list[str], approved: set[str]) -> None:
    """Everything that is offered is approved of; an sshd that does not know all of them offers fewer."""
    other = [name for name in offered if name not in approved]
    assert offered, "nothing is offered"
    assert not other, f"offered as well: {', '.join(other)}"


@pytest.mark.control(id="ACCESS-25", severity="medium", source="CIS 5.1.12; sshd-02")
def test_key_exchanges_are_modern(machine: Machine) -> None:
    """Keys are exchanged over Curve25519 alone, with a post-quantum part where the other side has one.

    The list in sshd's first packet.
    """
    only(machine.offer.key_exchanges, KEY_EXCHANGES)


@pytest.mark.control(id="ACCESS-26", severity="medium", source="CIS 5.1.6; sshd-01")
def test_ciphers_are_modern(machine: Machine) -> None:
    """Connections are encrypted with AES in GCM or counter mode, or with ChaCha20.

    The list in sshd's first packet.
    """
    only(machine.offer.ciphers, CIPHERS)


@pytest.mark.control(id="ACCESS-27", severity="medium", source="CIS 5.1.15; sshd-03")
def test_macs_are_of_what_was_encrypted(machine: Machine) -> None:
    """Messages are authenticated after they were encrypted, never before.

    The list in sshd's first packet.
    """
    only(machine.offer.macs, MACS)


@pytest.mark.control(id="ACCESS-28", severity="medium", source="sshd-14")
def test_one_host_key_is_shown(machine: Machine) -> None:
    """The host shows an Ed25519 key alone: the one that was pinned when it was adopted.

    The list in sshd's first packet; that it is the pinned one is proven by every connection of sparkfleet.
    """
    only(machine.offer.host_keys, {"ssh-ed25519"})
    files = {file for settings in machine.sshd.values() for file in settings["hostkey"]}
    assert files == {PRIVATE_KEY}, f"host keys are {', '.join(sorted(files))}"
