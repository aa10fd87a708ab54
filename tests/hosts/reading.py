"""What the tools of a host print → plain values. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

TAILNET = [ipaddress.ip_network("100.64.0.0/10"), ipaddress.ip_network("fd7a:115c:a1e0::/48")]


@dataclass(frozen=True)
class Listener:
    """A TCP socket that accepts connections, or a UDP socket that takes packets from anybody."""

    protocol: str
    address: str
    port: int
    process: str

    @property
    def on_loopback(self) -> bool:
        """Whether only the host itself can reach it."""
        address, interface = self._parts
        return interface == "lo" or address == "::1" or address.startswith("127.")

    @property
    def in_tailnet(self) -> bool:
        """Whether it is bound to an address that only a tailnet routes."""
        return in_tailnet(self._parts[0])

    @property
    def _parts(self) -> tuple[str, str]:
        bare, _, interface = self.address.replace("[", "").replace("]", "").partition("%")
        return bare.removeprefix("::ffff:"), interface

    def __str__(self) -> str:
        return f"{self.address}:{self.port} ({self.process})" + ("" if self.protocol == "tcp" else f", {self.protocol}")


@dataclass(frozen=True)
class Stat:
    """Owner and group, permission bits, and what it is ("regular file", "directory", …)."""

    owner: str
    group: str
    mode: int
    kind: str

    def __str__(self) -> str:
        return f"{self.owner}:{self.group} {self.mode:04o}"


@dataclass(frozen=True)
class KeyFile:
    """One file of the folder that sshd reads keys from; `keys` as `bare_key` gives them."""

    owner: str
    mode: int
    keys: frozenset[str]


@dataclass(frozen=True)
class Journald:
    """Its settings in force, the last of each counting; its own words about its size; its files on disk."""

    settings: dict[str, str]
    usage: dict[str, Any]
    files: list[str]


@dataclass(frozen=True)
class Offer:
    """What sshd offers before anybody has logged in, each list in its order of preference."""

    key_exchanges: list[str]
    host_keys: list[str]
    ciphers: list[str]
    macs: list[str]


def in_tailnet(address: str) -> bool:
    """Whether an address is of the ranges that tailnets use; "*" is every address, and not one of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found.version == net.version and found in net for net in TAILNET)


def listeners(text: str) -> list[Listener]:
    """What `ss -lntupH` prints."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        address, _, port = fields[4].rpartition(":")
        process = fields[6].split('"')[1] if len(fields) > 6 and '"' in fields[6] else "unknown process"
        found.append(Listener(fields[0], address, int(port), process))
    return found


def stat_rows(text: str) -> dict[str, Stat]:
    """What `stat -c '%U %G %a %F<tab>%n'` prints, by path."""
    rows = (line.partition("\t") for line in text.splitlines())
    return {
        path: Stat(owner, group, int(mode, 8), kind)
        for row, _, path in rows
        for owner, group, mode, kind in [row.split(" ", 3)]
    }


def show_rows(text: str) -> list[dict[str, str]]:
    """What `systemctl show` prints of several units: blocks of Key=value."""
    return [dict(line.split("=", 1) for line in block.splitlines()) for block in text.strip().split("\n\n") if block]


def due(text: str) -> dict[str, float]:
    """Kind of key → when it is due, from the metrics that the host writes of its keys."""
    found = re.findall(r'^sparkfleet_rotation_due_timestamp_seconds{kind="([a-z0-9-]+)"} (\S+)$', text, re.MULTILINE)
    return {kind: float(date) for kind, date in found}


def opened(openings: dict[str, list[str]], protocol: str) -> set[int]:
    """The ports of "tcp" or "udp" that the description opens on some interface ("tcp/8000")."""
    words = (word.partition("/") for listed in openings.values() for word in listed)
    return {int(port) for kind, _, port in words if kind == protocol}


def chains(table: list[dict[str, Any]]) -> dict[str, str]:
    """Hook → policy of a table's chains that packets come to."""
    found = (entry["chain"] for entry in table if "chain" in entry)
    return {chain["hook"]: chain.get("policy", "accept") for chain in found if "hook" in chain}


def published(ruleset: list[dict[str, Any]]) -> set[int]:
    """The TCP ports that some table translates to another destination: what containers publish."""
    tables = {(c["family"], c["table"]) for e in ruleset if (c := e.get("chain")) and c.get("type") == "nat"}
    ports = set()
    for rule in (e["rule"] for e in ruleset if "rule" in e):
        translates = any(word in e for e in rule.get("expr", []) for word in ("dnat", "redirect", "xt"))
        if translates and (rule["family"], rule["table"]) in tables:
            matches = [e["match"] for e in rule["expr"] if "match" in e]
            fields = [m["right"] for m in matches if m["left"].get("payload", {}).get("field") == "dport"]
            ports |= {port for port in fields if isinstance(port, int)}
    return ports


def kexinit(packet: bytes) -> Offer:
    """What sshd sends first (RFC 4253, 7.1): padding length, 20, 16 bytes of cookie, then lists of names.

    Words in the list of key exchanges that only say what else the other side can do are left out.
    """
    assert packet[1:2] == b"\x14", "sshd's first packet is not its list of algorithms"
    lists, rest = [], packet[18:]
    for _ in range(5):
        length = int.from_bytes(rest[:4], "big")
        lists.append([name.decode("ascii", "replace") for name in rest[4 : 4 + length].split(b",") if name])
        rest = rest[4 + length :]
    exchanges, host_keys, _, ciphers, macs = lists  # the third: ciphers from the client's side, the same
    return Offer([e for e in exchanges if not e.startswith(("ext-info-", "kex-strict-"))], host_keys, ciphers, macs)


def bare_key(line: str) -> str:
    """An authorized_keys line without its comment; options stay, they change what the key opens."""
    words = line.split()
    at = next((i for i, w in enumerate(words) if w.startswith(("ssh-", "ecdsa-", "sk-"))), 0)
    return " ".join(words[: at + 2])


def firewall_verdicts(expressions: list[dict[str, Any]], port: int) -> list[str]:
    """A rule about the port in words, one for each address: "accept 10.0.0.1", "drop all"; none for other rules."""
    matches = [e["match"] for e in expressions if "match" in e]
    if not any(match["right"] == port for match in matches):
        return []
    addresses = [match["right"] for match in matches if match["left"].get("payload", {}).get("field") == "saddr"]
    said = next((word for e in expressions for word in ("accept", "drop", "reject") if word in e), "other")
    listed = [str(a) for right in addresses for a in (right["set"] if isinstance(right, dict) else [right])]
    return [f"{said} {address}" for address in listed or ["all"]]


def granted(policy: dict[str, Any], command: str) -> set[str]:
    """Who may run this very command by sudo, by a rule that names nothing else."""
    rules = policy.get("User_Specs", [])
    return {
        who for rule in rules for spec in rule["Cmnd_Specs"] if only(spec, command) for who in names(rule["User_List"])
    }


def only(spec: dict[str, Any], command: str) -> bool:
    """Whether a part of a rule names this command, and no other one."""
    return bool(command) and spec.get("Commands") == [{"command": command}]


def without_password(policy: dict[str, Any], spared: str = "") -> Iterator[str]:
    """Whom sudo asks for no password: by a rule's tag, or by a default. `spared`: a command that may be free."""
    for rule in policy.get("User_Specs", []):
        specs = [spec for spec in rule["Cmnd_Specs"] if not only(spec, spared)]
        options = [option for spec in specs for option in spec.get("Options", [])]
        if {"authenticate": False} in options:
            yield from names(rule["User_List"])
    for default in policy.get("Defaults", []):
        if {"authenticate": False} in default["Options"]:
            yield from names(default.get("Binding", [])) or ["everybody"]


def defaults(policy: dict[str, Any]) -> dict[str, Any]:
    """Sudo's defaults by name, the last of each counting; "%sudo:log_subcmds" is one for the group sudo."""
    found: dict[str, Any] = {}
    for default in policy.get("Defaults", []):
        whose = [f"{who}:" for who in names(default.get("Binding", []))] or [""]
        found.update({who + name: value for o in default["Options"] for name, value in o.items() for who in whose})
    return found


def names(people: list[dict[str, Any]]) -> list[str]:
    """A list of users and groups as cvtsudoers prints it; groups get their % as in sudoers."""
    return [f"%{value}" if kind == "usergroup" else str(value) for entry in people for kind, value in entry.items()]


def values(text: str, metric: str) -> list[float]:
    """The values of a metric's series in Prometheus' text format."""
    return [float(number) for number in re.findall(rf"^{metric}(?:{{.*}})? (\S+)$", text, re.MULTILINE)]


def writable_root(mountinfo: str) -> str:
    """The line of /proc/PID/mountinfo that makes a process' root writable; "" when it is mounted read-only there."""
    rows = [line for line in mountinfo.splitlines() if line.split()[4] == "/"]
    return next((line for line in rows[-1:] if "ro" not in line.split()[5].split(",")), "")


def size_bytes(text: str) -> int:
    """A size as Prometheus shows it ("1GiB512MiB", "0B") in bytes."""
    parts = re.findall(r"([\d.]+)([KMGTPE]?)i?B", text)
    return sum(int(float(number) * 1024 ** " KMGTPE".index(unit or " ")) for number, unit in parts)
