"""A host as its controller meets it from outside, before any login: ports, sshd's offers, keys that are refused."""

from __future__ import annotations

import ipaddress
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

from reading import Offer, kexinit

if TYPE_CHECKING:
    from collections.abc import Iterable

CONNECT_S = 10.0
MOST_PACKET = 35000  # bytes; RFC 4253, 6.1: what every side must be able to take


class Door:
    """sshd's address and port as the controller reaches them; `ssh`: the words that ask it to log in."""

    def __init__(self, address: str, port: int, ssh: list[str]) -> None:
        self.address, self.port, self._ssh = address, port, ssh

    def offers(self, users: Iterable[str]) -> dict[str, str]:
        """Which ways to log in each user is offered who shows nothing, in sshd's words."""
        with ThreadPoolExecutor(2) as pool:
            tries = {user: pool.submit(self._refusal, user, "PreferredAuthentications=none") for user in users}
            return {user: one.result() for user, one in tries.items()}

    def with_key(self, user: str, key: str) -> str:
        """What becomes of somebody who shows this private key: "publickey" when sshd refused it and asks for another.

        Certificates and the agent's keys stay out: this key alone.
        """
        alone = (
            "IdentityFile=none",
            "CertificateFile=none",
            "IdentityAgent=none",
            "PreferredAuthentications=publickey",
        )
        return self._refusal(user, f"IdentityFile={key}", *alone)

    def _refusal(self, user: str, *options: str) -> str:
        words = [word for option in (*options, "ControlPath=none", "ControlMaster=no") for word in ("-o", option)]
        command = [self._ssh[0], *words, *self._ssh[1:-1], "-l", user, self._ssh[-1], "true"]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=30,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "no answer within 30 s"
        if not done.returncode:
            return "a shell, without asking"
        refused = re.search(r"Permission denied \((.*)\)", done.stderr)
        return refused[1] if refused else f"no answer: {done.stderr.strip()[-200:]}"

    def offer(self) -> Offer:
        """Which algorithms sshd offers for the connection, and which types of host key it has: its first packet."""
        with socket.create_connection((self.address, self.port), CONNECT_S) as connection:
            stream = connection.makefile("rb")
            banner = stream.readline(300)
            assert banner.startswith(b"SSH-2.0-"), f"port {self.port} says {banner[:60]!r}: that is no sshd"
            connection.sendall(b"SSH-2.0-sparkfleet_verify\r\n")
            length = int.from_bytes(stream.read(4), "big")
            assert length <= MOST_PACKET, f"sshd's first packet claims {length} bytes"
            return kexinit(stream.read(length))

    @cached_property
    def patience_s(self) -> float:
        """How long silence is awaited: five times as long as sshd needs to accept, so a slow line is no silence.

        Asked once: sshd takes a connection without a login for the beginning of an attack, and counts them.
        """
        started = time.monotonic()
        socket.create_connection((self.address, self.port), CONNECT_S).close()
        return max(0.5, 5 * (time.monotonic() - started))

    def knock(self, port: int, address: str = "") -> str:
        """What this controller meets at a port of the host: "open", "refused" or "silent"."""
        try:
            socket.create_connection((address or self.address, port), self.patience_s).close()
        except TimeoutError:
            return "silent"
        except OSError:
            return "refused"
        return "open"

    def knock_all(self, doors: Iterable[tuple[str, int]]) -> dict[tuple[str, int], str]:
        """The same for many at once, by address and port."""
        doors, _ = list(doors), self.patience_s
        with ThreadPoolExecutor(16) as pool:
            return dict(zip(doors, pool.map(lambda d: self.knock(d[1], d[0]), doors), strict=True))


def neighbour(address: str) -> bool:
    """Whether this controller reaches an address without a router: it shares that network, so its knock proves."""
    said = subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, check=False)
    words = said.stdout.split()
    return said.returncode == 0 and "via" not in words and not ipaddress.ip_address(address).is_loopback
