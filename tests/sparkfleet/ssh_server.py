"""A small SSH server in this process, by paramiko's server half: a host that is told what to allow and to say."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko import common

from sparkfleet.host.connection import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECOND_S = 1.0


class Rules(paramiko.ServerInterface):
    """Lets one public key in and answers each command as told."""

    def __init__(self, server: Server, transport: paramiko.Transport) -> None:
        self.server, self.transport = server, transport

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        """Keys and passwords."""
        return "publickey,password"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """The one key, for the one user."""
        right = username == "sparkfleet" and key in self.server.accepted
        return common.AUTH_SUCCESSFUL if right else common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        """Sessions, unless told otherwise."""
        return common.OPEN_SUCCEEDED if self.server.sessions else common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_direct_tcpip_request(
        self,
        chanid: int,
        origin: tuple[str, int],  # noqa: ARG002
        destination: tuple[str, int],
    ) -> int:
        """A port of the host's loopback: bridged in threads of their own, while the host forwards at all."""
        if not self.server.forwards:
            return common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self.server.asked.append(destination)
        try:
            service = socket.create_connection(("127.0.0.1", self.server.services.get(destination[1], destination[1])))
        except OSError:
            return common.OPEN_FAILED_CONNECT_FAILED
        threading.Thread(target=bridge, args=(self.transport, chanid, service), daemon=True).start()
        return common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Answer in a thread of its own: the transport has to go on."""
        threading.Thread(target=self.server.answer, args=(channel, command.decode()), daemon=True).start()
        return True


class Server:
    """A host: its key, who may log in, and what commands say."""

    def __init__(self) -> None:
        self.key = paramiko.ECDSAKey.generate()
        self.accepted: list[paramiko.PKey] = []
        self.sessions = True
        self.forwards = True
        self.services: dict[int, int] = {}  # port of the host's loopback → where the test serves it
        self.asked: list[tuple[str, int]] = []
        self.answer: Callable[[paramiko.Channel, str], None] = echo
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.transports: list[paramiko.Transport] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        """Serve every connection until the socket closes."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                transport = paramiko.Transport(client)
                transport.add_server_key(self.key)
                self.transports.append(transport)
                with contextlib.suppress(paramiko.SSHException, EOFError):
                    # With an event nobody waits here: who hangs up in the middle must not keep the next one out.
                    transport.start_server(event=threading.Event(), server=Rules(self, transport))

    def close(self) -> None:
        """Go away."""
        self.socket.close()
        for transport in self.transports:
            transport.close()


def bridge(transport: paramiko.Transport, chanid: int, service: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    while (channel := transport.accept(5 * SECOND_S)) and channel.get_id() != chanid:
        pass

    def answers() -> None:
        with contextlib.suppress(OSError, EOFError):
            while data := service.recv(65536):
                channel.sendall(data)
            channel.close()

    threading.Thread(target=answers, daemon=True).start()
    with contextlib.suppress(OSError):
        while data := channel.recv(65536):
            service.sendall(data)
    service.close()


def echo(channel: paramiko.Channel, command: str) -> None:
    """Say the command and its stdin on stdout, a word on stderr, and end with 3."""
    heard = channel.makefile("rb").read().decode()
    channel.sendall(f"{command}|{heard}".encode())
    channel.sendall_stderr(b"a word")
    channel.send_exit_status(3)
    channel.close()


def here(channel: paramiko.Channel, command: str) -> None:
    """Run the command on this machine, without becoming root; its stdin ends with the channel, as sshd's does."""
    words = command.replace("sudo -n ", "").replace("/usr/bin/python3", sys.executable)
    pipe = subprocess.PIPE
    with subprocess.Popen(words, shell=True, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:  # noqa: S602  (as sshd does)
        assert process.stdin
        assert process.stdout
        assert process.stderr
        streams = {channel.sendall: process.stdout, channel.sendall_stderr: process.stderr}
        threads = [threading.Thread(target=carry, args=(stream, say)) for say, stream in streams.items()]
        for thread in threads:
            thread.start()
        with contextlib.suppress(OSError):
            while data := channel.recv(65536):
                process.stdin.write(data)
        with contextlib.suppress(OSError):
            process.stdin.close()
        for thread in threads:
            thread.join()
    with contextlib.suppress(OSError, EOFError):
        channel.send_exit_status(process.returncode)
        channel.close()


def carry(stream: IO[bytes], say: Callable[[bytes], object]) -> None:
    """What a process says, to its end, whether or not somebody listens still."""
    while data := stream.read(65536):
        with contextlib.suppress(OSError, EOFError):
            say(data)


def described(server: Server, folder: Path) -> Target:
    """The server as a described host: its key pinned under its name, the automation key accepted."""
    own = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    key, known = folder / "automation", folder / "known_hosts"
    key.write_bytes(own)
    server.accepted.append(paramiko.Ed25519Key.from_private_key_file(str(key)))
    known.write_text(f"spark-01 {server.key.get_name()} {server.key.get_base64()}\n")
    return Target("spark-01", ("127.0.0.1",), server.port, "sparkfleet", key, known, 5 * SECOND_S)
