"""A host's addresses and pinned key → one SSH session; the only module that speaks SSH.

Host keys are pinned under the host's name, not its address: the same key is expected over the tailnet and the LAN.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sparkfleet.errors import UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

    import fabric
    import paramiko

    from sparkfleet.model import Fleet

# paramiko's transport threads print tracebacks of failures that we report ourselves.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

CONNECT_FAILED = 2  # RFC 4254, 5.1: SSH_OPEN_CONNECT_FAILED


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


def dial(target: Target) -> tuple[str, socket.socket]:
    """The first address that accepts a TCP connection, in order; raises UnreachableError naming every attempt."""
    attempts = []
    for address in target.addresses:
        try:
            return address, socket.create_connection((address, target.port), target.connect_timeout_s)
        except OSError as error:
            attempts.append(f"{address} port {target.port}: {error.strerror or error}")
    raise UnreachableError(
        f"{target.name} cannot be reached ({'; '.join(attempts)}).",
        usually="the machine is off, its address changed, or a firewall drops the controller.",
        next_step=f"switch it on or correct hosts.{target.name}.addresses, then run the same command again; "
        "hosts that were reached are not affected.",
    )


class Session:
    """One authenticated connection; `run` gives a command its whole stdin at once. Use as a context manager."""

    def __init__(self, target: Target, *, password: str | None = None) -> None:
        """Log in with the automation key, or with a password (adoption only). The host key must be pinned."""
        self.target = target
        self.address, sock = dial(target)
        try:
            self._connection = self._login(sock, password)
        except BaseException:
            sock.close()
            raise

    def _login(self, sock: socket.socket, password: str | None) -> fabric.Connection:
        import fabric
        import paramiko

        target = self.target
        kwargs: dict[str, Any] = {"sock": sock, "look_for_keys": False, "allow_agent": False}
        if password is None:
            kwargs["key_filename"] = str(target.private_key)
        else:
            kwargs["password"] = password
        connection = fabric.Connection(
            target.name,  # with `sock` given this is only the name under which the host key is looked up
            user=target.user,
            port=22,  # the same: pinned names carry no port
            config=fabric.Config(overrides={"load_ssh_configs": False}),
            connect_timeout=target.connect_timeout_s,
            connect_kwargs={**kwargs, "banner_timeout": target.connect_timeout_s},
        )
        client = connection.client
        client.set_missing_host_key_policy(paramiko.RejectPolicy())  # fabric's default accepts any key
        if target.known_hosts.exists():
            client.load_host_keys(str(target.known_hosts))
        if target.name not in client.get_host_keys():
            raise UnreachableError(
                f"{target.name} has no pinned host key in {target.known_hosts}.",
                usually="it was not adopted yet.",
                next_step=f"run `spark adopt {target.name}`.",
            )
        try:
            connection.open()
        except paramiko.BadHostKeyException as error:
            found = fingerprint(error.key)
            raise UnreachableError(
                f"{target.name} at {self.address} shows another host key than the pinned one: {found}.",
                usually="the machine was reinstalled, another machine has its address, or somebody is in between.",
                next_step=f"read the fingerprint on its console; if it is right, run `spark adopt {target.name}` "
                "with --fingerprint.",
            ) from error
        except paramiko.AuthenticationException as error:
            raise LoginRefusedError(
                f"{target.name} at {self.address} refused {target.user}'s {'password' if password else 'login'}.",
                usually="the password is wrong, or sshd takes none (PasswordAuthentication no)."
                if password
                else "the host was reset, or the automation key changed on one side only.",
                next_step=f"run `spark adopt {target.name}` again.",
            ) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise UnreachableError(
                f"{target.name} at {self.address} accepted the connection, but SSH did not come up: {error}.",
                usually="sshd is starting, overloaded, or throttles after failed logins.",
                next_step="wait a minute and run the same command again.",
            ) from error
        return connection

    def run(self, command: str, *, stdin: str = "", timeout_s: float = 60.0) -> Result:
        """Run one command and wait for its end; raises UnreachableError when the host falls silent."""
        import paramiko

        try:
            channel = self._connection.transport.open_session(timeout=timeout_s)
            channel.settimeout(timeout_s)
            channel.exec_command(command)
            channel.sendall(stdin.encode())
            channel.shutdown_write()
            stdout = channel.makefile("rb").read()
            stderr = channel.makefile_stderr("rb").read()
            return Result(channel.recv_exit_status(), stdout.decode(), stderr.decode(errors="replace"))
        except (paramiko.SSHException, OSError, EOFError) as error:  # socket.timeout is an OSError
            raise UnreachableError(
                f"{self.target.name} stopped answering in the middle of a command ({error or 'time ran out'}).",
                usually="the network broke, the machine rebooted, or it is out of memory.",
                next_step="look at the machine; then run the same command again.",
            ) from error

    def channel(self, port: int, *, timeout_s: float = 10.0) -> paramiko.Channel:
        """A socket to a port of the host's own loopback, as `ssh -L` makes one; no command runs on the host.

        Raises UnreachableError when nothing listens there, sshd forwards nothing, or the host falls silent.
        """
        import paramiko

        try:
            here, there, transport = ("127.0.0.1", 0), ("127.0.0.1", port), self._connection.transport
            channel: paramiko.Channel = transport.open_channel("direct-tcpip", there, here, timeout=timeout_s)
        except paramiko.ChannelException as error:
            if error.code == CONNECT_FAILED:
                raise UnreachableError(
                    f"nothing listens on port {port} of {self.target.name}'s loopback.",
                    usually="the service there was stopped or does not start.",
                    next_step=f"look at the units that `spark plan {self.target.name}` names.",
                ) from error
            raise UnreachableError(
                f"{self.target.name} opens no channel to its port {port}: {error.text}.",
                usually="sshd does not forward (access.tcp_forwarding: no).",
                next_step='set access.tcp_forwarding to "local".',
            ) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise UnreachableError(
                f"{self.target.name} stopped answering ({error or 'time ran out'}).",
                usually="the network broke, the machine rebooted, or it is out of memory.",
                next_step="look at the machine; then run the same command again.",
            ) from error
        channel.settimeout(timeout_s)
        return channel

    @property
    def alive(self) -> bool:
        """Whether nobody has ended the connection yet, as far as is known."""
        return bool(self._connection.is_connected)

    def close(self) -> None:
        """End the connection; never raises."""
        with contextlib.suppress(OSError, EOFError):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def offered_key(target: Target, prefer: tuple[str, ...] = ("ssh-ed25519",)) -> tuple[str, str]:
    """The host key that the machine shows, as (type, base64), read before anything is trusted or sent.

    Of several host keys it shows the first type in `prefer` that it has. Raises UnreachableError.
    """
    import paramiko

    _, sock = dial(target)
    try:
        transport = paramiko.Transport(sock)
        try:
            known = transport.get_security_options()
            known.key_types = sorted(known.key_types, key=lambda kind: kind not in prefer)
            transport.start_client(timeout=target.connect_timeout_s)
            key = transport.get_remote_server_key()
        finally:
            transport.close()
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise UnreachableError(
            f"{target.name} accepts connections on port {target.port}, but does not speak SSH: {error}.",
            usually="another service listens there, or sshd is starting or throttles.",
            next_step=f"check hosts.{target.name}.port, wait a minute and run the same command again.",
        ) from error
    finally:
        sock.close()
    return key.get_name(), key.get_base64()


def fingerprint(key: Any) -> str:
    """A paramiko key's fingerprint as ssh-keygen prints it: SHA256:…, without padding."""
    import base64
    import hashlib

    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def ssh_options(target: Target) -> list[str]:
    """The OpenSSH options that make ssh, Ansible and testinfra trust exactly what `Session` trusts."""
    options = {
        "UserKnownHostsFile": _ssh_word(target.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": target.name,
        "StrictHostKeyChecking": "yes",
        "IdentityFile": _ssh_word(target.private_key),
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
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
            f"  StrictHostKeyChecking yes\n  ConnectTimeout {int(target.connect_timeout_s)}\n"
        )
    return "\n".join(blocks)


def _ssh_word(path: Path) -> str:
    """A path as OpenSSH's settings take it: it splits what is not quoted at spaces."""
    text = str(path.absolute())
    return f'"{text}"' if " " in text else text
