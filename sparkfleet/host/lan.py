"""A host's addresses outside its tailnet, and who sees the host there → whether anybody can still connect to its sshd.

A refused connection proves something only from a place that was let in before, or that the host's pings answer: the
controller, or a host of the fleet on the same network. Without such a witness the answer is "not proven".
"""

from __future__ import annotations

import ipaddress
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import LockdownError, SparkfleetError
from sparkfleet.host.connection import Session, Target
from sparkfleet.tailnet_checks import in_tailnet
from sparkfleet.text import parsed

if TYPE_CHECKING:
    from sparkfleet.access import Access
    from sparkfleet.model import Fleet

SECONDS = 2.0  # for one connection, and for one ping
MOST_PEERS = 3  # that are asked, when the controller sees nothing
CONTROLLER = "controller"
ASK = "ip -json address show scope global up"
# The same on the controller and on a peer: [addresses that accept a connection, addresses that answer a ping].
LOOK = """\
import json, socket, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

port, seconds, addresses = json.loads(sys.argv[1])

def connects(address):
    try:
        socket.create_connection((address, port), seconds).close()
    except OSError:
        return False
    return True

def answers(address):
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run(["ping", "-n", "-c", "1", address], timeout=seconds, **quiet).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False

with ThreadPoolExecutor(2 * len(addresses) or 1) as pool:
    looked = [pool.map(look, addresses) for look in (connects, answers)]
    print(json.dumps([[a for a, yes in zip(addresses, found) if yes] for found in looked]))
"""


@dataclass(frozen=True)
class Lan:
    """Where a host has addresses beside its tailnet, who saw it there before the change, and at which of them."""

    addresses: tuple[str, ...]
    witness: str = ""
    seen: tuple[str, ...] = ()


def before(fleet: Fleet, name: str, session: Session) -> Lan:
    """Find a witness; `session` is one to the host. Raises nothing but what a session that breaks raises."""
    addresses = _addresses(fleet, name, session)
    for witness in [CONTROLLER, *[peer for peer in fleet.hosts if peer != name][:MOST_PEERS]]:
        found = _look(fleet, witness, name, addresses) if addresses else None
        if found and (seen := {*found[0], *found[1]}):
            return Lan(addresses, witness, tuple(a for a in addresses if a in seen))
    return Lan(addresses)


def after(fleet: Fleet, name: str, lan: Lan) -> str:
    """In words: refused to whom, or not proven and why; raises LockdownError when the witness still gets in."""
    if not lan.addresses:
        return "not proven: the host has no address beside the tailnet"
    if not lan.witness:
        return "not proven: neither the controller nor a host of the fleet sees the host there"
    found = _look(fleet, lan.witness, name, lan.addresses)
    if found is None:
        return f"not proven: {lan.witness} no longer answers"
    if found[0]:
        raise LockdownError(
            f"{name} still lets {lan.witness} connect to port {fleet.hosts[name].port} at {', '.join(found[0])}.",
            usually="another table of the firewall accepts it first, or access.open names more than was meant.",
            next_step=f"look at `nft list ruleset` on {name} and at access.open.",
        )
    return f"refused to {lan.witness} at {', '.join(lan.seen)}"


def outside(told: Any, access: Access, port: int) -> tuple[str, ...]:
    """What `ip -json address` told → the addresses at which nobody should get in. Pure; skips what has no such form."""
    skipped = ["lo", "tailscale*", *access.container_interfaces]
    skipped += [name for name, openings in access.open.items() if {"all", f"tcp/{port}"} & {*openings}]
    found = []
    for link in told if isinstance(told, list) else []:
        if not isinstance(link, dict) or any(fnmatch(str(link.get("ifname")), pattern) for pattern in skipped):
            continue
        entries = link.get("addr_info")
        for entry in entries if isinstance(entries, list) else []:
            address = entry.get("local") if isinstance(entry, dict) else None
            if isinstance(address, str) and _is_address(address) and not in_tailnet(address):
                found.append(address)
    return tuple(dict.fromkeys(found))


def _outside(fleet: Fleet, name: str, session: Session) -> tuple[str, ...]:
    """The host's own word on its addresses and, before them, those that are described."""
    described = [a for a in fleet.hosts[name].addresses if _is_address(a) and not in_tailnet(a)]
    try:
        told = parsed(session.run(ASK).stdout)
    except ValueError:
        told = []
    return tuple(dict.fromkeys([*described, *outside(told, fleet.access, fleet.hosts[name].port)]))


def _addresses(fleet: Fleet, name: str, session: Session) -> tuple[str, ...]:
    """Those that are described, and the host's own word."""
    described = [a for a in fleet.hosts[name].addresses if _is_address(a) and not in_tailnet(a)]
    try:
        told = parsed(session.run(ASK).stdout)
    except ValueError:
        told = []
    return tuple(dict.fromkeys([*described, *outside(told, fleet.access, fleet.hosts[name].port)]))


def _look(fleet: Fleet, witness: str, name: str, addresses: tuple[str, ...]) -> tuple[list[str], list[str]] | None:
    """What a witness can connect to, and what answers its pings; None when it cannot be asked."""
    request = json.dumps([fleet.hosts[name].port, SECONDS, addresses])
    try:
        if witness == CONTROLLER:
            said = subprocess.run(
                [sys.executable, "-ISc", LOOK, request], capture_output=True, text=True, check=True
            ).stdout
        else:
            with Session(Target.of(fleet, witness)) as session:
                said = session.run(f"/usr/bin/python3 -IS - {shlex.quote(request)}", stdin=LOOK).stdout
        connects, answers = parsed(said)
        return [a for a in addresses if a in connects], [a for a in addresses if a in answers]
    except (SparkfleetError, OSError, subprocess.CalledProcessError, ValueError, TypeError):
        return None


def _is_address(text: str) -> bool:
    """Whether it is one as such: what may follow a % in IPv6 is any text."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
