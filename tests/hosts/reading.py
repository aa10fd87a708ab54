"""What the tools of a host print → plain values. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Listener:
    """A TCP socket that accepts connections."""

    address: str
    port: int
    process: str

    @property
    def on_loopback(self) -> bool:
        """Whether only the host itself can connect."""
        bare = self.address.strip("[]").partition("%")[0].removeprefix("::ffff:")
        return bare == "::1" or bare.startswith("127.")

    def __str__(self) -> str:
        return f"{self.address}:{self.port} ({self.process})"


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


def without_password(policy: dict[str, Any]) -> Iterator[str]:
    """Whom sudo asks for no password: by a rule's tag, or by a default."""
    for rule in policy.get("User_Specs", []):
        options = [option for spec in rule["Cmnd_Specs"] for option in spec.get("Options", [])]
        if {"authenticate": False} in options:
            yield from names(rule["User_List"])
    for default in policy.get("Defaults", []):
        if {"authenticate": False} in default["Options"]:
            yield from names(default.get("Binding", [])) or ["everybody"]


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
