"""The description → HTTP to a port of a monitor host's loopback, through an SSH channel."""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import ConfigError, UnreachableError
from sparkfleet.host.connection import Session, Target
from sparkfleet.model import Role

if TYPE_CHECKING:
    import paramiko  # noqa: TID251  (a type: the channel that host/connection opened)

    from sparkfleet.model import Fleet


class Tunnel:
    """SSH to the first monitor host that is reached; opened again after it broke."""

    def __init__(self, fleet: Fleet, port: int, *, timeout_s: float, most_bytes: int) -> None:
        self._port, self._timeout_s, self._most_bytes = port, timeout_s, most_bytes
        self._targets = [Target.of(fleet, name) for name in fleet.with_role(Role.MONITOR)]
        if not self._targets:
            raise ConfigError(
                ["hosts: none has the role monitor, so nobody keeps metrics; name a Prometheus with --url"]
            )
        self._session: Session | None = None
        self.name = ""

    def open(self) -> Session:
        """The open session; raises UnreachableError of the last monitor host when none is reached."""
        if self._session and not self._session.alive:
            self.close()
        for target in self._targets:
            if self._session:
                break
            try:
                self._session, self.name = Session(target), target.name
            except UnreachableError:
                if target is self._targets[-1]:
                    raise
        assert self._session  # noqa: S101  (the last one raises)
        return self._session

    def __call__(self) -> http.client.HTTPConnection:
        """HTTP through a channel of its own: one a question."""
        try:
            channel = self.open().channel(self._port, timeout_s=self._timeout_s, most_bytes=self._most_bytes)
        except UnreachableError:
            self.close()
            raise
        connection = http.client.HTTPConnection("localhost", self._port)
        connection.sock = Socket(channel)  # it has all that http.client needs of one
        return connection

    def close(self) -> None:
        """End the session; never raises."""
        if self._session:
            self._session.close()
        self._session = None


class Socket:
    """A channel as http.client takes a socket: closing it leaves a file that was made of it open, until that is closed.

    http.client closes the socket of an answer without a length before the answer is read; a channel would end there.
    """

    def __init__(self, channel: paramiko.Channel) -> None:
        self.sendall, self._channel, self._read = channel.sendall, channel, False

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The answer; closing it closes the channel."""
        self._read = True
        return io.BufferedReader(_Answer(self._channel))

    def shutdown(self, _how: int) -> None:
        """End the channel, whoever reads from it."""
        self._channel.close()

    def close(self) -> None:
        """The channel goes with its file, if there is one."""
        if not self._read:
            self._channel.close()


class _Answer(io.RawIOBase):
    """What arrives on a channel."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def readable(self) -> bool:
        """Nothing else is done with it."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As much as there is; 0 at the end."""
        data = self._channel.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """End the channel too."""
        if not self.closed:
            self._channel.close()
        super().close()
