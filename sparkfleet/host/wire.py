"""A connection to a host that may be hostile → the same, with a most of bytes and an end in time.

What SSH does for a host before any of our code sees it (banners, packets, channels, requests) has no bound of its own:
a byte every few seconds keeps it waiting for ever, a line without an end fills the memory.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import UnreachableError

if TYPE_CHECKING:
    import paramiko  # noqa: TID251  (types: what host/connection made)

    from sparkfleet.host.connection import Target

LOGIN_S = 30.0  # a machine that is short of memory needs that long; on top of the described time to connect
LOGIN_BYTES = 256 << 10  # banners, keys and the login's own messages: a few kilobytes
MOST_LINE_BYTES = 64 << 10


class Wire:
    """A socket as paramiko takes one. Over its bounds it is at its end, so that every wait on it ends too.

    paramiko asks it for bytes at least ten times a second, also when none come: no timer is needed.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._left, self._until_s = 0, float("inf")
        self.cut = ""  # in words, why it was ended by us
        self.ended = False  # by whomever

    def allow(self, most_bytes: int, seconds: float = float("inf")) -> None:
        """From now on so many bytes may come, for so long."""
        self._left, self._until_s = most_bytes, time.monotonic() + seconds

    def recv(self, size: int) -> bytes:
        """What there is; nothing once the bounds are passed. An error here would become a traceback of a thread's."""
        if self._passed():
            return b""
        data = self._sock.recv(size)
        self._left -= len(data)
        self.ended |= not data
        return data

    def send(self, data: bytes) -> int:
        """As a socket's."""
        if self._passed():
            raise BrokenPipeError
        return self._sock.send(data)

    def close(self) -> None:
        """As a socket's; who waits for bytes gets none."""
        self.ended = True
        self._sock.close()

    def settimeout(self, seconds: float | None) -> None:
        """As a socket's."""
        self._sock.settimeout(seconds)

    def getpeername(self) -> Any:
        """As a socket's."""
        return self._sock.getpeername()

    @property
    def _closed(self) -> bool:
        """What paramiko looks at to know whether a transport lives."""
        return bool(self._sock._closed)  # type: ignore[attr-defined]  # noqa: SLF001  (Python's own name for it)

    def _passed(self) -> bool:
        if not self.ended:
            self.cut = "it said too much" if self._left < 0 else ""
            self.cut = self.cut or ("time ran out" if time.monotonic() > self._until_s else "")
            self.ended = bool(self.cut)
        return self.ended


class Dialogue:
    """A command that goes on, with which lines are exchanged. Its methods raise OSError or EOFError."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel, self._heard = channel, b""

    def say(self, text: str, *, timeout_s: float = 10.0) -> None:
        """Send it; raises when the command is gone, or takes nothing for that long."""
        if self._channel.closed or self._channel.eof_received:
            raise EOFError
        self._channel.settimeout(timeout_s)
        self._channel.sendall(text.encode())

    def hear(self, *, timeout_s: float = 30.0) -> str:
        """The next line, without its end; raises EOFError when there is none, TimeoutError when it takes longer."""
        until_s = time.monotonic() + timeout_s
        while b"\n" not in self._heard:
            self._channel.settimeout(max(until_s - time.monotonic(), 0.001))
            data = self._channel.recv(4096)
            if not data or len(self._heard) > MOST_LINE_BYTES:
                raise EOFError
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode(errors="replace")

    def last_words(self) -> str:
        """What stands on its stderr now."""
        said = self._channel.recv_stderr(4096) if self._channel.recv_stderr_ready() else b""
        return said.decode(errors="replace")

    def close(self) -> None:
        """End it: the command reads the end of its stdin."""
        self._channel.close()


class Proof:
    """The one key or the one password with which we log in, and nothing that a host asks for beyond it.

    Left to itself, paramiko goes on to keyboard-interactive when a host is not content with the key: it prints what the
    host says, escape sequences included, and waits for somebody to type.
    """

    def __init__(self, user: str, password: str | None) -> None:
        self._user, self._password = user, password
        self.key: paramiko.PKey | None = None

    def authenticate(self, transport: paramiko.Transport) -> list[str]:
        """What the host wants beyond it: nothing, when it lets us in. Raises paramiko's AuthenticationException."""
        if self._password is not None:
            return transport.auth_password(self._user, self._password)
        assert self.key is not None  # noqa: S101  (one of the two is always there)
        return transport.auth_publickey(self._user, self.key)


def dial(target: Target) -> tuple[str, Wire]:
    """The first address that accepts a TCP connection, in order, with the bounds of a login.

    Raises UnreachableError naming every attempt.
    """
    attempts = []
    for address in target.addresses:
        try:
            wire = Wire(socket.create_connection((address, target.port), target.connect_timeout_s))
        except OSError as error:
            attempts.append(f"{address} port {target.port}: {error.strerror or error}")
        else:
            wire.allow(LOGIN_BYTES, target.connect_timeout_s + LOGIN_S)
            return address, wire
    raise UnreachableError(
        f"{target.name} cannot be reached ({'; '.join(attempts)}).",
        usually="the machine is off, its address changed, or a firewall drops the controller.",
        next_step=f"switch it on or correct hosts.{target.name}.addresses, then run the same command again; "
        "hosts that were reached are not affected.",
    )
