"""Network namespaces → a Spark with a LAN, a tailnet, containers and a bridge of the site, all of it the kernel's own.

Nothing of it shows outside of these namespaces; they go with the context, and the next run removes what a killed one
left. Needs root.

    lan ─── enp1 ┐            ┌ docker0 ─────────── box, twin
    peer ── tailscale0 ─ host ┤
    site ── br-lan ─┘         └ br-0123456789ab ─── other
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
PREFIX = "sf-t-"
PLACES = ("host", "lan", "peer", "site", "box", "twin", "other")
# Place → its interface on the host, the bridge that this is a port of, and its addresses; the host has .1 and ::1.
LINKS = {
    "lan": ("enp1", "", "10.231.250.2", "fd00:250::2"),
    "peer": ("tailscale0", "", "100.127.250.2", "fd7a:115c:a1e0:250::2"),
    "site": ("site0", "br-lan", "10.231.253.2", "fd00:253::2"),
    "box": ("veth1", "docker0", "10.231.251.2", "fd00:251::2"),
    "twin": ("veth2", "docker0", "10.231.251.3", "fd00:251::3"),
    "other": ("veth3", "br-0123456789ab", "10.231.252.2", "fd00:252::2"),
}
DROPPED_AFTER_S = 0.25  # everything is in this kernel: what is answered, is answered in well under a millisecond
CLONE_NEWNET = 0x40000000
# What Docker and Tailscale put beside our table, in their words: they accept what is theirs.
NEIGHBOURS = """
table ip nat {
  chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
  chain DOCKER { iifname != "docker0" tcp dport 8080 dnat to 10.231.251.2:80; }
  chain POSTROUTING { type nat hook postrouting priority srcnat;
    ip saddr 10.231.251.0/24 oifname != "docker0" masquerade; }
}
table ip6 nat {
  chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
  chain DOCKER { iifname != "docker0" tcp dport 8080 dnat to [fd00:251::2]:80; }
}
table ip filter {
  chain INPUT { type filter hook input priority filter; jump ts-input; }
  chain ts-input { ip saddr 100.64.0.0/10 iifname != "tailscale0" drop; iifname "tailscale0" accept
    udp dport 41641 accept; }
  chain FORWARD { type filter hook forward priority filter; jump ts-forward; jump DOCKER-USER; jump DOCKER; }
  chain ts-forward { iifname "tailscale0" accept; oifname "tailscale0" accept; }
  chain DOCKER-USER { return; }
  chain DOCKER { ct state established,related accept; oifname "docker0" tcp dport 80 accept; accept; }
}
"""


class Network:
    """The namespaces of one run, by place."""

    def __init__(self, run: str) -> None:
        self._run = run

    def name(self, place: str) -> str:
        """The namespace of a place."""
        return f"{PREFIX}{self._run}-{place}"

    def load(self, rules: str) -> None:
        """Put an nftables text into the host's kernel."""
        subprocess.run(["ip", "netns", "exec", self.name("host"), "nft", "-f", "-"], input=rules, text=True, check=True)

    def tables(self) -> list[str]:
        """The tables that the host's kernel has."""
        command = ["ip", "netns", "exec", self.name("host"), "nft", "list", "tables"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    def forget_neighbours(self, place: str) -> None:
        """Empty the caches of ARP and neighbour discovery."""
        _ip("-n", self.name(place), "neighbour", "flush", "all")

    def add_address(self, place: str, address: str) -> None:
        """Give a place one more address."""
        _ip("-n", self.name(place), "address", "replace", address, "dev", "eth0")

    def within(self, place: str, function: Callable[[], T]) -> T:
        """Call a function in a place; the sockets that it makes belong there for good."""
        results: list[T] = []

        def enter() -> None:
            with Path(f"/run/netns/{self.name(place)}").open() as file:
                assert ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) == 0
            results.append(function())

        thread = threading.Thread(target=enter)  # a thread's namespace is its own
        thread.start()
        thread.join()
        return results[0]

    @contextlib.contextmanager
    def listening(self, place: str, port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[socket.socket]:
        """A socket that takes what comes to the port over both families; the kernel answers for it."""

        def listen() -> socket.socket:
            found = socket.socket(socket.AF_INET6, kind)
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(("::", port))
            if kind is socket.SOCK_STREAM:
                found.listen(64)
            return found

        with contextlib.closing(self.within(place, listen)) as server:
            server.settimeout(DROPPED_AFTER_S)
            yield server

    def connect(self, place: str, address: str, port: int, source: str = "") -> socket.socket | None:
        """A connection from a place, or None: nothing answered."""

        def dial() -> socket.socket | None:
            with contextlib.suppress(TimeoutError):
                return socket.create_connection((address, port), DROPPED_AFTER_S, (source, 0) if source else None)
            return None

        return self.within(place, dial)

    def reaches(self, place: str, address: str, port: int, source: str = "") -> bool:
        """Whether a connection comes about."""
        found = self.connect(place, address, port, source)
        if found:
            found.close()
        return found is not None

    def pings(self, place: str, address: str) -> bool:
        """Whether an echo request is answered."""
        v6 = ":" in address
        # Type, code, checksum, identity, number: of ICMPv6 the kernel fills the checksum in.
        request = struct.pack("!BBHHH", 128, 0, 0, 7, 1) if v6 else struct.pack("!BBHHH", 8, 0, 0xFFFF - 0x0808, 7, 1)
        protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
        reply = 129 if v6 else 0

        def ping() -> bool:
            with socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, protocol) as client:
                client.settimeout(1)
                client.sendto(request, (address, 0))
                with contextlib.suppress(TimeoutError):
                    while said := client.recv(256):
                        if said[0 if v6 else 20] == reply:
                            return True
            return False

        return self.within(place, ping)

    def sends(self, place: str, to: tuple[str, int], server: socket.socket, source_port: int = 0) -> bool:
        """Whether a datagram from a place arrives at a socket."""

        def send() -> None:
            family = socket.AF_INET6 if ":" in to[0] else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as client:
                client.bind(("", source_port))
                client.sendto(b"hello", to)

        self.within(place, send)
        with contextlib.suppress(TimeoutError):
            return server.recv(16) == b"hello"
        return False


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """The namespaces, up, with every address reachable from everywhere: only rules keep anybody from anything."""
    _sweep()
    made = Network(str(os.getpid()))
    try:
        for place in PLACES:
            _ip("netns", "add", made.name(place))
        _wire(made)
        yield made
    finally:
        for place in PLACES:
            subprocess.run(["ip", "netns", "del", made.name(place)], stderr=subprocess.DEVNULL, check=False)


def _wire(made: Network) -> None:
    """Links, addresses and routes; the host forwards, as Docker lets it."""
    host = made.name("host")
    lines = ["link set lo up"]
    bridges = sorted({bridge for _, bridge, _, _ in LINKS.values() if bridge})
    lines += [f"link add {bridge} type bridge forward_delay 0" for bridge in bridges]
    gateways: dict[str, tuple[str, str]] = {}
    for place, (name, bridge, v4, v6) in LINKS.items():
        lines.append(f"link add {name} type veth peer name eth0 netns {made.name(place)}")
        lines += [f"link set {name} master {bridge}"] if bridge else []
        lines.append(f"link set {name} up")
        gateways[bridge or name] = (f"{v4.rpartition('.')[0]}.1", f"{v6.rpartition('::')[0]}::1")
    for name, (v4, v6) in gateways.items():
        lines += [f"link set {name} up", f"address add {v4}/24 dev {name}", f"address add {v6}/64 dev {name} nodad"]
        lines.append(f"address add fe80::1/64 dev {name} nodad")
    _batch(host, lines)
    forward = "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"
    _ip("netns", "exec", host, "sh", "-c", forward)
    for place, (name, bridge, v4, v6) in LINKS.items():
        via4, via6 = gateways[bridge or name]
        _batch(
            made.name(place),
            [
                "link set lo up", "link set eth0 up",
                f"address add {v4}/24 dev eth0", f"address add {v6}/64 dev eth0 nodad",
                f"route add default via {via4}", f"route add default via {via6}",
            ],
        )  # fmt: skip
    made.load(NEIGHBOURS)


def _sweep() -> None:
    """Remove the namespaces of runs that are no more."""
    for file in Path("/run/netns").glob(f"{PREFIX}*"):
        if not Path(f"/proc/{file.name.split('-')[2]}").exists():
            _ip("netns", "del", file.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _batch(namespace: str, lines: list[str]) -> None:
    subprocess.run(["ip", "-n", namespace, "-batch", "-"], input="\n".join(lines), text=True, check=True)
