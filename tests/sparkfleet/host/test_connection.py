"""Real SSH connections to a small server in this process → what `Session` trusts, tries and says.

The server speaks real SSH through paramiko's server half. sshd itself is met on lab hosts.
"""

from __future__ import annotations

import dataclasses
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from sparkfleet.errors import UnreachableError
from sparkfleet.host.connection import LoginRefusedError, Session, Target, offered_key
from sparkfleet.host.openssh import ssh_config, ssh_options
from sparkfleet.host.wire import dial
from tests.sparkfleet.ssh_server import SECOND_S, Server, described

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server."""
    server = Server()
    yield server
    server.close()


@pytest.fixture
def target(server: Server, tmp_path: Path) -> Target:
    """The server as a described host: its key pinned under its name, the automation key accepted."""
    return described(server, tmp_path)


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that is taken and does not listen."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_command_gets_its_stdin_and_gives_its_words_and_code(target: Target) -> None:
    """One round trip: everything in, everything out, each stream apart."""
    with Session(target) as session:
        result = session.run("the command", stdin="the script")

    assert (result.code, result.stdout, result.stderr) == (3, "the command|the script", "a word")


def test_a_long_stdin_and_a_long_answer_arrive_whole(target: Target) -> None:
    """Both are larger than SSH's window: neither side may wait for the other for ever."""
    script = "x" * 5_000_000

    with Session(target) as session:
        assert session.run("c", stdin=script).stdout == f"c|{script}"


def test_the_first_address_that_answers_is_taken(target: Target) -> None:
    """The addresses are tried in order; 127.0.0.9 refuses, 127.0.0.1 answers, and is told as the host's address."""
    ordered = dataclasses.replace(target, addresses=("127.0.0.9", "127.0.0.1"))

    with Session(ordered) as session:
        assert session.address == "127.0.0.1"


def test_a_host_that_nobody_reaches_names_every_attempt(target: Target, deaf: int) -> None:
    """Which address failed in which way, what it means, what to do; the other hosts go on."""
    away = dataclasses.replace(target, addresses=("127.0.0.1", "no-such-host.invalid"), port=deaf)

    with pytest.raises(UnreachableError) as caught:
        dial(away)

    assert f"127.0.0.1 port {deaf}: Connection refused" in caught.value.what
    assert f"no-such-host.invalid port {deaf}: " in caught.value.what
    assert "hosts.spark-01.addresses" in caught.value.next_step


def test_another_host_key_is_refused_with_its_fingerprint(target: Target, server: Server) -> None:
    """The pinned key is the only one; what was shown is told, for comparison on the machine's console."""
    other = paramiko.ECDSAKey.generate()
    target.known_hosts.write_text(f"spark-01 {other.get_name()} {other.get_base64()}\n")

    with pytest.raises(UnreachableError) as caught:
        Session(target)

    assert not isinstance(caught.value, LoginRefusedError)
    assert server.key.fingerprint in caught.value.what
    assert "somebody is in between" in caught.value.usually


def test_a_key_pinned_for_another_host_does_not_count(target: Target, server: Server) -> None:
    """Pins go by name, not by key: spark-02's pin lets nobody pose as spark-01."""
    target.known_hosts.write_text(f"spark-02 {server.key.get_name()} {server.key.get_base64()}\n")

    with pytest.raises(UnreachableError, match=r"(?s)no pinned host key.*spark adopt spark-01"):
        Session(target)


def test_without_any_pin_nothing_is_sent(target: Target) -> None:
    """A controller that never adopted the host does not log in to it."""
    target.known_hosts.unlink()

    with pytest.raises(UnreachableError, match="has no pinned host key"):
        Session(target)


def test_a_refused_login_is_told_apart(target: Target, server: Server) -> None:
    """The host is itself and does not take the key: that is for `spark adopt` to mend."""
    server.accepted.clear()

    with pytest.raises(LoginRefusedError, match="refused sparkfleet's login"):
        Session(target)


def test_a_host_that_accepts_and_says_nothing_is_given_up_in_time(target: Target) -> None:
    """The described timeout counts also for the first word of SSH."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        silent = dataclasses.replace(target, port=mute.getsockname()[1], connect_timeout_s=SECOND_S)
        begin = time.monotonic()
        with pytest.raises(UnreachableError, match="SSH did not come up"):
            Session(silent)

    assert time.monotonic() - begin < 10 * SECOND_S


def test_a_command_that_never_answers_is_given_up(target: Target, server: Server) -> None:
    """A host that falls silent in the middle is an error, never an empty answer."""
    server.answer = lambda *_: None

    with Session(target) as session, pytest.raises(UnreachableError, match="in the middle of a command"):
        session.run("hang", timeout_s=SECOND_S)


def test_a_connection_that_breaks_is_an_error(target: Target, server: Server) -> None:
    """A machine that reboots under a command did not say nothing: it did not say anything."""
    with Session(target) as session:
        server.close()
        with pytest.raises(UnreachableError, match="in the middle of a command"):
            session.run("c")


def test_a_session_that_the_host_forbids_is_an_error(target: Target, server: Server) -> None:
    """Sshd with MaxSessions 0, or out of processes: told in words."""
    server.sessions = False

    with Session(target) as session, pytest.raises(UnreachableError, match="spark-01 stopped answering"):
        session.run("c")


def test_the_offered_key_is_read_without_logging_in(target: Target, server: Server) -> None:
    """Adoption shows it to the owner before anything is trusted or sent."""
    assert offered_key(target) == (server.key.get_name(), server.key.get_base64())


def test_a_service_that_is_no_ssh_is_told(target: Target) -> None:
    """Something else on the port: the message says so and names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as web:
        threading.Thread(target=lambda: web.accept()[0].sendall(b"HTTP/1.1 400 Bad\r\n\r\n" * 200), daemon=True).start()
        with pytest.raises(UnreachableError, match="does not speak SSH") as caught:
            offered_key(dataclasses.replace(target, port=web.getsockname()[1], connect_timeout_s=SECOND_S))

    assert "hosts.spark-01.port" in caught.value.next_step


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="OpenSSH's client is not installed")
def test_a_fingerprint_is_written_as_openssh_writes_it(server: Server, tmp_path: Path) -> None:
    """The owner compares it with what the machine's console shows."""
    (tmp_path / "key.pub").write_text(f"{server.key.get_name()} {server.key.get_base64()}\n")
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True)

    assert shown.stdout.split()[1] == server.key.fingerprint


@pytest.mark.skipif(not shutil.which("ssh"), reason="OpenSSH's client is not installed")
@pytest.mark.parametrize("way", ["options", "config"])
def test_openssh_trusts_what_a_session_trusts(way: str, target: Target, tmp_path: Path) -> None:
    """The options for Ansible and the file for testinfra, as ssh itself reads them, also in a folder with a space."""
    folder = tmp_path / "my fleet"
    here = dataclasses.replace(target, private_key=folder / "automation", known_hosts=folder / "known_hosts")
    (tmp_path / "config").write_text(ssh_config([here]))
    options = ssh_options(here) if way == "options" else ["-F", str(tmp_path / "config")]

    shown = subprocess.run(["ssh", "-G", *options, "spark-01"], capture_output=True, text=True, check=True).stdout
    read: dict[str, Any] = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)

    assert (read["hostkeyalias"], read["stricthostkeychecking"]) == ("spark-01", "true")
    assert (read["userknownhostsfile"], read["identityfile"]) == (str(here.known_hosts), str(here.private_key))
    assert read["identitiesonly"] == "yes"


def test_a_channel_reaches_a_port_of_the_hosts_loopback(target: Target, server: Server) -> None:
    """As `ssh -L`: what is said on this side arrives at the service, and its answer here; no command runs."""
    with socket.create_server(("127.0.0.1", 0)) as service, Session(target) as session:
        channel = session.channel(service.getsockname()[1])
        accepted, _ = service.accept()
        channel.sendall(b"a question")
        heard = accepted.recv(100)
        accepted.sendall(b"an answer")

        assert (heard, channel.recv(100)) == (b"a question", b"an answer")
        assert server.asked == [("127.0.0.1", service.getsockname()[1])]
        accepted.close()


def test_a_port_on_which_nothing_listens_is_told(target: Target, deaf: int) -> None:
    """The host is reached, the service is not: it says which."""
    with (
        Session(target) as session,
        pytest.raises(UnreachableError, match=f"nothing listens on port {deaf} "),
    ):
        session.channel(deaf)


def test_a_host_that_forwards_nothing_names_the_setting(target: Target, server: Server) -> None:
    """It is a matter of the description."""
    server.forwards = False

    with Session(target) as session, pytest.raises(UnreachableError) as caught:
        session.channel(9090)

    assert caught.value.next_step == 'set access.tcp_forwarding to "local".'
