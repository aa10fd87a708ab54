"""A host that speaks SSH as it likes → one printable error in time, and a controller on which nothing has changed."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import paramiko
import pytest
from paramiko.common import AUTH_PARTIALLY_SUCCESSFUL, cMSG_CHANNEL_REQUEST
from paramiko.server import InteractiveQuery

from sparkfleet.host import wire
from sparkfleet.host.connection import LoginRefusedError, Session, offered_key
from tests.sparkfleet import ssh_server
from tests.sparkfleet.hostile import POISON, fails, harmless, says
from tests.sparkfleet.ssh_server import SECOND_S, Server, described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sparkfleet.host.connection import Target

MOST_S = 8 * SECOND_S  # each exchange is given one; the rest is for a machine with other work


@pytest.fixture
def server() -> Iterator[Server]:
    """A host that was taken over."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def target(server: Server, tmp_path: Path) -> Target:
    """It, as it is described."""
    return described(server, tmp_path)


def forever(channel: paramiko.Channel, act: Callable[[], object]) -> None:
    """Go on until nobody listens any more."""
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while not channel.closed:
            act()


def flood(channel: paramiko.Channel, _: str) -> None:
    """Stdout without end."""
    forever(channel, lambda: channel.sendall(b"x" * 32768))


def flood_stderr(channel: paramiko.Channel, _: str) -> None:
    """Stderr without end, while stdout is read."""
    forever(channel, lambda: channel.sendall_stderr(b"x" * 32768))


def flood_beside(channel: paramiko.Channel, _: str) -> None:
    """Messages that SSH ignores, without end: no channel's window bounds them."""
    forever(channel, lambda: channel.transport.send_ignore(30_000))


def drip(channel: paramiko.Channel, _: str) -> None:
    """A byte now and then: each single wait is a short one."""

    def one() -> None:
        channel.sendall(b" ")
        time.sleep(0.1)

    forever(channel, one)


def no_end(channel: paramiko.Channel, _: str) -> None:
    """The answer and the end of the stream, and then neither exit status nor close."""
    channel.sendall(b"{}")
    channel.shutdown_write()
    forever(channel, lambda: time.sleep(0.1))


def cut_midway(channel: paramiko.Channel, _: str) -> None:
    """Half an answer, then the connection is gone."""
    channel.sendall(b'{"settings": {')
    channel.transport.close()


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (flood, "it said too much"),
        (flood_stderr, "it said too much"),
        (flood_beside, "it said too much"),
        (drip, "time ran out"),
        (no_end, "time ran out"),
        (cut_midway, "stopped answering"),
    ],
)
def test_a_command_ends_in_time_with_bounded_words(
    attack: Callable[[paramiko.Channel, str], None], words: str, server: Server, target: Target, tmp_path: Path
) -> None:
    """One deadline and one bound for the whole command, whichever way the host does not keep to them."""
    server.answer = attack

    with harmless(tmp_path, MOST_S), Session(target) as session:
        told = fails(lambda: session.run("c", timeout_s=2 * SECOND_S, most_bytes=1 << 20))

    assert words in told
    assert "spark-01" in told


@pytest.mark.parametrize("request_", ["check_channel_request", "check_channel_exec_request"])
def test_a_request_that_is_never_answered_is_given_up(
    request_: str, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the opening of a channel nor the start of a command waits for ever."""
    release = threading.Event()
    monkeypatch.setattr(ssh_server.Rules, request_, lambda *_: release.wait(30 * SECOND_S))

    with Session(target) as session:
        begin = time.monotonic()
        told = fails(lambda: session.run("c", timeout_s=SECOND_S))
        took_s = time.monotonic() - begin
    release.set()

    assert "stopped answering in the middle of a command" in told
    assert took_s < MOST_S


def test_a_signal_is_no_success(server: Server, target: Target) -> None:
    """`exit-signal` where an exit status belongs: the code is none that means anything, whatever was said before."""

    def killed(channel: paramiko.Channel, _: str) -> None:
        channel.makefile("rb").read()
        channel.sendall(b"{}")
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("exit-signal")
        message.add_boolean(False)  # no reply is wanted
        message.add_string("KILL\x1b[2J")
        message.add_boolean(False)  # no core was dumped
        message.add_string(POISON)
        message.add_string("en")
        channel.transport._send_user_message(message)
        channel.close()

    server.answer = killed

    with Session(target) as session:
        assert session.run("c").code == -1


def test_nothing_is_opened_or_forwarded_for_a_host(server: Server, target: Target) -> None:
    """Channels to our agent, our display or our ports, and requests to listen here, are refused: no more happens."""
    refused: list[str] = []

    def reach(channel: paramiko.Channel, command: str) -> None:
        there = channel.transport
        for kind in ("session", "auth-agent@openssh.com", "x11", "forwarded-tcpip"):
            address = ("127.0.0.1", 22) if kind in {"x11", "forwarded-tcpip"} else None
            try:
                there.open_channel(kind, address, address, timeout=MOST_S)
            except paramiko.ChannelException:
                refused.append(kind)
        if there.global_request("tcpip-forward", ("0.0.0.0", 2222), wait=True) is None:  # noqa: S104
            refused.append("tcpip-forward")
        ssh_server.echo(channel, command)

    server.answer = reach

    with Session(target) as session:
        assert session.run("c", stdin="s").stdout == "c|s"
    assert refused == ["session", "auth-agent@openssh.com", "x11", "forwarded-tcpip", "tcpip-forward"]


def test_a_host_that_wants_more_than_the_key_gets_nothing(
    target: Target, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It would have its words printed, and whoever sits there asked to type: it is a refused login, no more."""
    asked: list[str] = []

    def question(*_: object) -> InteractiveQuery:
        asked.append("asked")
        return InteractiveQuery(POISON, POISON, (POISON, False))

    monkeypatch.setattr(ssh_server.Rules, "check_auth_publickey", lambda *_: AUTH_PARTIALLY_SUCCESSFUL)
    monkeypatch.setattr(ssh_server.Rules, "get_allowed_auths", lambda *_: "keyboard-interactive,password")
    monkeypatch.setattr(ssh_server.Rules, "check_auth_interactive", question)
    monkeypatch.setattr(sys, "stdin", io.StringIO("my other password\n" * 9))

    with pytest.raises(LoginRefusedError):
        Session(target)

    assert asked == []
    assert sys.stdin.tell() == 0
    assert capfd.readouterr() == ("", "")


def speaks(words: Callable[[socket.socket], object]) -> socket.socket:
    """A port on which each connection is answered so, until it ends."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while True:
                words(connection)

    threading.Thread(target=serve, daemon=True).start()
    return listening


def dripped(connection: socket.socket) -> None:
    """A banner, a byte at a time."""
    connection.sendall(b"x")
    time.sleep(0.05)


@pytest.mark.parametrize(
    "words",
    [
        lambda there: there.sendall(b"x" * 65536),
        lambda there: there.sendall(b"no ssh\r\n" * 20),
        lambda there: there.sendall(POISON.encode() + b"\n"),
        lambda there: there.sendall(b"SSH-2.0-" + POISON.encode() + b"\r\n" + b"\xff" * 65536),
        lambda there: there.sendall(b"SSH-9.9-\x1b[2J\r\n"),
        dripped,
    ],
    ids=["no-end", "many-lines", "escapes", "version-with-escapes", "other-version", "drip"],
)
@pytest.mark.parametrize("way", ["adopt", "log in"])
def test_a_banner_has_an_end(
    words: Callable[[socket.socket], object], way: str, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is trusted: floods, lines without end, escapes and drips, at both doors of SSH."""
    monkeypatch.setattr(wire, "LOGIN_S", SECOND_S)
    with speaks(words) as listening, harmless(tmp_path, MOST_S):
        there = dataclasses.replace(target, port=listening.getsockname()[1], connect_timeout_s=SECOND_S)
        told = fails(lambda: offered_key(there) if way == "adopt" else Session(there))

    assert "does not speak SSH" in told or "SSH did not come up" in told


def test_a_host_that_goes_on_talking_cannot_hold_the_end(server: Server, target: Target) -> None:
    """Closing a session takes no longer than saying so."""
    server.answer = flood
    session = Session(target)
    fails(lambda: session.run("c", timeout_s=SECOND_S, most_bytes=1 << 16))
    begin = time.monotonic()

    session.close()

    assert time.monotonic() - begin < 3 * SECOND_S


def test_bytes_that_are_no_text_are_no_traceback(server: Server, target: Target) -> None:
    """Broken UTF-8 on either stream is replaced."""
    says(server, b"\xff\xfe ok", stderr=b"\xc3")

    with Session(target) as session:
        assert session.run("c") == (result := session.run("c"))
        assert (result.stdout, result.stderr) == ("\ufffd\ufffd ok", "\ufffd")
