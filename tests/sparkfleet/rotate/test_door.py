"""Proofs of a new key and of an old one that is refused, against an SSH server of our own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import paramiko
import pytest

from sparkfleet.errors import RotationError, UnreachableError
from sparkfleet.host.connection import HostKeyError, LoginRefusedError, Session
from sparkfleet.rotate import door
from tests.sparkfleet.ssh_server import Server, described

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sparkfleet.host.connection import Target


def sudo(channel: paramiko.Channel, _command: str) -> None:
    """Every command succeeds."""
    channel.makefile("rb").read()
    channel.send_exit_status(0)
    channel.close()


def no_sudo(channel: paramiko.Channel, _command: str) -> None:
    """Every command fails, as `sudo -n` does without a rule."""
    channel.makefile("rb").read()
    channel.send_exit_status(1)
    channel.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A host."""
    found = Server()
    found.answer = sudo
    yield found
    found.close()


@pytest.fixture
def target(server: Server, tmp_path: Path) -> Target:
    """The host as described: its key pinned, ours accepted."""
    return described(server, tmp_path)


def pin(target: Target, *keys: paramiko.PKey) -> None:
    """Write known_hosts with these keys under the host's name."""
    target.known_hosts.write_text("".join(f"{target.name} {k.get_name()} {k.get_base64()}\n" for k in keys))


@pytest.mark.parametrize("order", [0, 1])
def test_with_two_pinned_keys_either_opens(server: Server, target: Target, order: int) -> None:
    """Two keys of one type are pinned while a host key is replaced: the host is known by whichever it shows."""
    other = paramiko.ECDSAKey.generate()
    pin(target, *((server.key, other) if order else (other, server.key)))
    with Session(target) as session:
        assert session.run("true").code == 0


def test_a_revoked_key_in_the_same_file_keeps_nobody_out(target: Target) -> None:
    """known_hosts with a retired host's key marked @revoked is read as before, by us and by ssh."""
    other = paramiko.ECDSAKey.generate()
    text = f"@revoked * {other.get_name()} {other.get_base64()}\n"
    target.known_hosts.write_text(text + target.known_hosts.read_text())
    assert door.prove(target) == "127.0.0.1"
    target.known_hosts.write_text(text)
    with pytest.raises(UnreachableError, match="no pinned host key"):
        Session(target)


def test_a_third_key_is_refused_by_name(server: Server, target: Target) -> None:
    """A key that is not among the pinned ones is a HostKeyError that carries it."""
    pin(target, paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate())
    with pytest.raises(HostKeyError) as refused:
        Session(target)
    assert refused.value.key == server.key


def test_a_proof_asks_for_root(server: Server, target: Target) -> None:
    """A login that cannot become root proves nothing, and the message says what it could not."""
    assert door.prove(target) == "127.0.0.1"
    server.answer = no_sudo
    with pytest.raises(RotationError, match="not become root"):
        door.prove(target)


def test_a_refused_login_is_no_proof_and_nothing_else_is_a_refusal(server: Server, target: Target) -> None:
    """Only a refused key proves that it is refused; a host that is away or shows another key does not."""
    with pytest.raises(RotationError, match="still lets the old key in"):
        door.prove_refused(target, LoginRefusedError)
    server.accepted.clear()
    door.prove_refused(target, LoginRefusedError)
    with pytest.raises(RotationError, match="could not be proven"):
        door.prove(target)
    pin(target, paramiko.ECDSAKey.generate())
    door.prove_refused(target, HostKeyError)
    with pytest.raises(HostKeyError):
        door.prove_refused(target, LoginRefusedError)
    server.close()
    with pytest.raises(UnreachableError):
        door.prove_refused(dataclasses.replace(target, connect_timeout_s=1), LoginRefusedError)
