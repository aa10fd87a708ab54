"""A host's addresses and pinned key → one SSH session; the only module that speaks SSH.

Host keys are pinned under the host's name, not its address: the same key is expected over the tailnet and the LAN.
Everything a host says has a most of bytes and an end in time (`wire`), whatever it does instead of speaking SSH.
"""

from __future__ import annotations

import base64
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sparkfleet.errors import UnreachableError
from sparkfleet.host import keyring
from sparkfleet.host.wire import Dialogue, Proof, dial
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import fabric
    import paramiko

    from sparkfleet.model import Fleet

# paramiko's transport threads print tracebacks of failures that we report ourselves.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

CONNECT_FAILED = 2  # RFC 4254, 5.1: SSH_OPEN_CONNECT_FAILED
MOST_BYTES = 8 << 20  # what a command may say on stdout and stderr together
IN_THE_MIDDLE = " in the middle of a command"
IDLE_BYTES = 64 << 10  # between commands: keep-alives


@dataclass(frozen=True)
class Target:
    """Where a host is and how the controller logs in to it."""

    name: str
    addresses: tuple[str, ...]
    port: int
    user: str
    private_key: Path
    known_hosts: Path
    connect_timeout_s: float

    @classmethod
    def of(cls, fleet: Fleet, name: str) -> Target:
        """The target of a described host, as the automation user."""
        host, controller = fleet.hosts[name], fleet.controller
        return cls(
            name=name,
            addresses=tuple(host.addresses),
            port=host.port,
            user=controller.user,
            private_key=controller.private_key,
            known_hosts=controller.known_hosts,
            connect_timeout_s=controller.connect_timeout_s,
        )


@dataclass(frozen=True)
class Result:
    """What a command said."""

    code: int
    stdout: str
    stderr: str


class LoginRefusedError(UnreachableError):
    """The host answered as itself, but does not accept this key or password."""


class HostKeyError(UnreachableError):
    """The host shows a key that is not the pinned one; `key` is what it shows, as paramiko has it."""

    key: Any = None


class Session:
    """One authenticated connection; `run` gives a command its whole stdin at once. Use as a context manager."""

    def __init__(self, target: Target, *, password: str | None = None) -> None:
        """Log in with the automation key, or with a password (adoption only). The host key must be pinned."""
        self.target = target
        self.address, self._wire = dial(target)
        try:
            try:
                self._connection = self._login(password)
            except HostKeyError as error:
                # paramiko compares with the first pinned key of a type; a host that is given another one has two.
                if error.key not in _pins(target):
                    raise
                self._wire.close()
                self.address, self._wire = dial(target)
                self._connection = self._login(password, expected=error.key)
        except BaseException:
            self._wire.close()
            raise
        self._wire.allow(IDLE_BYTES)

    def _login(self, password: str | None, expected: Any = None) -> fabric.Connection:
        import fabric
        import paramiko

        target, proof = self.target, Proof(self.target.user, password)
        connection = fabric.Connection(
            target.name,  # with `sock` given this is only the name under which the host key is looked up
            user=target.user,
            port=22,  # the same: pinned names carry no port
            config=fabric.Config(overrides={"load_ssh_configs": False}),
            connect_timeout=target.connect_timeout_s,
            connect_kwargs={"sock": self._wire, "auth_strategy": proof, "banner_timeout": target.connect_timeout_s},
        )
        client = connection.client
        client.set_missing_host_key_policy(paramiko.RejectPolicy())  # fabric's default accepts any key
        # Not load_host_keys: paramiko cannot read known_hosts with a revoked key in it.
        pins = _pins(target)
        if not pins:
            raise UnreachableError(
                f"{target.name} has no pinned host key in {target.known_hosts}.",
                usually="it was not adopted yet, or it was retired.",
                next_step=f"run `spark adopt {target.name}`.",
            )
        for key in [expected] if expected else pins:
            client.get_host_keys().add(target.name, key.get_name(), key)
        try:
            proof.key = None if password else paramiko.PKey.from_path(target.private_key)
            if connection.open():
                raise paramiko.AuthenticationException  # noqa: TRY301  (told below, like every refusal)
        except paramiko.BadHostKeyException as error:
            refused = HostKeyError(
                f"{target.name} at {self.address} shows another host key than the pinned one: {error.key.fingerprint}.",
                usually="the machine was reinstalled, another machine has its address, or somebody is in between.",
                next_step=f"read the fingerprint on its console; if it is right, run `spark adopt {target.name}` "
                "with --fingerprint.",
            )
            refused.key = error.key
            raise refused from error
        except paramiko.AuthenticationException as error:
            raise LoginRefusedError(
                f"{target.name} at {self.address} refused {target.user}'s {'password' if password else 'login'}.",
                usually="the password is wrong, or sshd takes none (PasswordAuthentication no)."
                if password
                else "the host was reset, or the automation key changed on one side only.",
                next_step=f"run `spark adopt {target.name}` again.",
            ) from error
        except (paramiko.SSHException, OSError, EOFError, ValueError, TypeError) as error:
            why = self._wire.cut or printable(str(error)) or "it hung up"
            raise UnreachableError(
                f"{target.name} at {self.address} accepted the connection, but SSH did not come up: {why}.",
                usually="sshd is starting, overloaded, or throttles after failed logins.",
                next_step="wait a minute and run the same command again.",
            ) from error
        return connection

    def run(self, command: str, *, stdin: str = "", timeout_s: float = 60.0, most_bytes: int = MOST_BYTES) -> Result:
        """Run one command and wait for its end; the code is -1 when a signal ended it.

        `timeout_s` is the time for all of it, `most_bytes` what it may say. Raises UnreachableError when the host falls
        silent, is not done in time or says more.
        """
        # What is said comes in packets, each with words of its own: twice as much may pass the wire.
        most_wire_bytes = 2 * most_bytes + IDLE_BYTES
        with self._bounded(most_wire_bytes, timeout_s, IN_THE_MIDDLE):
            # The window is wider than the bound: a flood of stderr passes it while we read stdout.
            channel = self._open(command, stdin, timeout_s, window_size=most_wire_bytes)
            channel.shutdown_write()
            stdout, stderr = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
            code = channel.recv_exit_status()
            if code < 0 and self._wire.ended:  # a broken connection, which reads like the end of an answer
                raise EOFError
            if len(stdout) + len(stderr) > most_bytes:
                self._wire.cut = "it said too much"
                raise EOFError
        return Result(code, stdout.decode(errors="replace"), stderr.decode(errors="replace"))

    def start(self, command: str, *, stdin: str = "", timeout_s: float = 60.0) -> Dialogue:
        """Run a command that goes on, and stay in a conversation with it; raises UnreachableError."""
        with self._bounded(MOST_BYTES, timeout_s, IN_THE_MIDDLE):
            channel = self._open(command, stdin, timeout_s)
        self._wire.allow(MOST_BYTES)
        return Dialogue(channel)

    def _open(self, command: str, stdin: str, timeout_s: float, window_size: int | None = None) -> paramiko.Channel:
        channel: paramiko.Channel = self._connection.transport.open_session(window_size, timeout=timeout_s)
        channel.exec_command(command)
        with contextlib.suppress(OSError):  # it ended before it read all: its own words say why
            channel.sendall(stdin.encode())
        return channel

    @contextlib.contextmanager
    def _bounded(self, most_bytes: int, timeout_s: float, when: str = "") -> Iterator[None]:
        """The bounds of one exchange; whatever SSH raises in it becomes UnreachableError."""
        import paramiko

        self._wire.allow(most_bytes, timeout_s)
        try:
            yield
        except (paramiko.SSHException, OSError, EOFError) as error:  # socket.timeout is an OSError
            why = self._wire.cut or printable(str(error)) or "it hung up"
            raise UnreachableError(
                f"{self.target.name} stopped answering{when} ({why}).",
                usually="the network broke, the machine rebooted, or it is out of memory.",
                next_step="look at the machine; then run the same command again.",
            ) from error
        self._wire.allow(IDLE_BYTES)

    def channel(self, port: int, *, timeout_s: float = 10.0, most_bytes: int = MOST_BYTES) -> paramiko.Channel:
        """A socket to a port of the host's own loopback, as `ssh -L` makes one; no command runs on the host.

        `most_bytes` may come through it and everything else until the next call; the time is the caller's to bound.
        Raises UnreachableError when nothing listens there, sshd forwards nothing, or the host falls silent.
        """
        import paramiko

        here, there, transport = ("127.0.0.1", 0), ("127.0.0.1", port), self._connection.transport
        try:
            with self._bounded(IDLE_BYTES, timeout_s):
                channel: paramiko.Channel = transport.open_channel("direct-tcpip", there, here, timeout=timeout_s)
        except UnreachableError as error:
            refused = error.__cause__
            if not isinstance(refused, paramiko.ChannelException):
                raise
            absent = refused.code == CONNECT_FAILED
            raise UnreachableError(
                f"nothing listens on port {port} of {self.target.name}'s loopback."
                if absent
                else f"{self.target.name} opens no channel to its port {port}: {printable(refused.text)}.",
                usually="the service there was stopped or does not start."
                if absent
                else "sshd does not forward (access.tcp_forwarding: no).",
                next_step=f"look at the units that `spark plan {self.target.name}` names."
                if absent
                else 'set access.tcp_forwarding to "local".',
            ) from error
        self._wire.allow(2 * most_bytes + IDLE_BYTES)
        channel.settimeout(timeout_s)
        return channel

    @property
    def alive(self) -> bool:
        """Whether nobody has ended the connection yet, as far as is known."""
        return bool(self._connection.is_connected) and not self._wire.ended

    def close(self) -> None:
        """End the connection; never raises."""
        self._wire.allow(IDLE_BYTES, 1.0)  # to say so; a host that goes on talking is not listened to
        # AttributeError: paramiko's, of a channel that Ctrl-C left half open.
        with contextlib.suppress(OSError, EOFError, AttributeError):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pins(target: Target) -> list[paramiko.PKey]:
    """The keys pinned under the host's name; of one type the first comes last, which is the one that paramiko takes."""
    import paramiko

    text = target.known_hosts.read_text(encoding="utf-8") if target.known_hosts.exists() else ""
    pinned = keyring.pinned(text, target.name)
    return [paramiko.PKey.from_type_string(key.type, base64.b64decode(key.blob)) for key in reversed(pinned)]


def offered_key(target: Target, prefer: tuple[str, ...] = ("ssh-ed25519",)) -> tuple[str, str]:
    """The host key that the machine shows, as (type, base64), read before anything is trusted or sent.

    Of several host keys it shows the first type in `prefer` that it has. Raises UnreachableError.
    """
    import paramiko

    _, wire = dial(target)
    try:
        transport: paramiko.Transport = paramiko.Transport(wire)  # type: ignore[arg-type]  # all that it needs of one
        try:
            known = transport.get_security_options()
            known.key_types = sorted(known.key_types, key=lambda kind: kind not in prefer)
            transport.start_client(timeout=target.connect_timeout_s)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise UnreachableError(
            f"{target.name} accepts connections on port {target.port}, but does not speak SSH: "
            f"{wire.cut or printable(str(error)) or 'it hung up'}.",
            usually="another service listens there, or sshd is starting or throttles.",
            next_step=f"check hosts.{target.name}.port, wait a minute and run the same command again.",
        ) from error
    finally:
        wire.close()
    return key.get_name(), key.get_base64()
