"""Fleet, host → its openings: each port that somebody beyond the host is meant to reach, and who.

Pure, and the one table of it: read by the host's firewall, Prometheus' targets, the compliance pack and the tailnet's
policy. What a host does not open is in no row: services on loopback, for which people use `ssh -L`.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkfleet.model import Fleet

TAILNET_INTERFACE = "tailscale0"


class Party(StrEnum):
    """Who reaches something: people, as tailnet.policy names them, or hosts, by what they are for."""

    OPERATORS = "operators"
    USERS = "users"
    REVIEWERS = "reviewers"
    MONITORS = "monitors"
    LABELLERS = "labellers"
    HOSTS = "hosts"


PEOPLE = (Party.OPERATORS, Party.USERS, Party.REVIEWERS)
ONLY: dict[tuple[Party, ...], str] = {
    (Party.MONITORS,): "only the monitor may scrape it",
    (Party.HOSTS,): "only the fleet's hosts may ask it",
    (Party.LABELLERS,): "only the hosts that share work may speak to it",
}  # as the firewall's file says it
MACHINES = {Party.MONITORS: Role.MONITOR, Party.LABELLERS: Role.LABEL, Party.HOSTS: None}  # None: every host


@dataclass(frozen=True)
class Opening:
    """One port of a host. `port` is as in access.open: "tcp/22", or "all".

    `guard` says what stands before it: the firewall lets everybody in over the tailnet and leaves it to the tailnet's
    policy who that is ("policy"); the firewall itself lets in `who` alone, by address ("address"); the firewall is not
    asked, because tailscaled itself takes the connection ("tailscaled"); the firewall lets in the addresses `linked`
    alone, on a network of the hosts' own with which the tailnet has nothing to do ("link").
    """

    service: str
    what: str
    port: str
    who: tuple[Party, ...]
    guard: Literal["policy", "address", "tailscaled", "link"] = "policy"
    linked: tuple[str, ...] = ()


class Scraped(NamedTuple):
    """One kind of exporter: Prometheus' job, the role that brings it, its port, what it is."""

    job: str
    role: Role
    port: int
    what: str


def openings(fleet: Fleet, name: str) -> list[Opening]:
    """Every opening of the host, in the order in which its firewall has them."""
    host = fleet.hosts[name]
    roles = host.all_roles
    # The monitor's prober waits for sshd's greeting, to tell a host that is off from one that hangs.
    found = [Opening("ssh", "sshd", f"tcp/{host.port}", (Party.OPERATORS, Party.USERS, Party.MONITORS))]
    for interface, ports in sorted(fleet.access.open.items()):
        if fnmatchcase(TAILNET_INTERFACE, interface):
            what = f"opened by access.open.{interface}"
            found += [Opening("open", what, port, (Party.OPERATORS, Party.USERS)) for port in ports]
    for one in scraped(fleet):
        if one.role in roles:
            found.append(Opening(str(one.role), one.what, f"tcp/{one.port}", (Party.MONITORS,), "address"))
    if Role.AUTHORITY in roles:
        what = "the fleet's certificate authority"
        found.append(Opening("authority", what, f"tcp/{fleet.authority.port}", (Party.HOSTS,), "address"))
    if Role.JUPYTER in roles and Role.TAILNET in roles and fleet.jupyter.serve:
        people = (Party.OPERATORS, Party.USERS)
        found.append(Opening("jupyter", "JupyterLab", f"tcp/{fleet.jupyter.port}", people, "tailscaled"))
    return found + _shared(fleet, name)


def over_tailnet(fleet: Fleet, name: str) -> list[Opening]:
    """Those of which the tailnet's policy has a say."""
    return [opening for opening in openings(fleet, name) if opening.guard != "link"]


def _shared(fleet: Fleet, name: str) -> list[Opening]:
    """What Ray listens on where hosts share work: each host's ports to the others' addresses, on their own network."""
    ray = fleet.label.ray
    if ray is None or name not in ray.machines:
        return []
    others = tuple(address for host, address in ray.machines.items() if host != name)
    first, last = ray.ports
    return [Opening("ray", "Ray", f"tcp/{first}-{last}", (Party.LABELLERS,), "link", others)]


def scraped(fleet: Fleet) -> list[Scraped]:
    """The exporters that hosts may have."""
    return [
        Scraped("gb10", Role.EXPORTER, fleet.exporter.port, "the exporter"),
        Scraped("roi", Role.LABEL, fleet.label.port, "the exporter of what the label loop is worth"),
    ]


def guarded(fleet: Fleet, name: str) -> list[dict[str, Any]]:
    """What the firewall opens by address: its port, what it is and for whom, and their addresses by version."""
    return [
        {
            "port": opening.port.removeprefix("tcp/"),
            "words": f"{opening.what}: {ONLY[opening.who]}",
            "linked": opening.guard == "link",
            **(by_version(opening.linked) if opening.linked else addresses(fleet, machines(fleet, opening.who))),
        }
        for opening in openings(fleet, name)
        if opening.guard in {"address", "link"}
    ]


def machines(fleet: Fleet, parties: Iterable[Party]) -> list[str]:
    """The hosts among these parties, in the order of the description; people are none."""
    wanted = [MACHINES[party] for party in parties if party in MACHINES]
    return [name for name, host in fleet.hosts.items() if any(r is None or r in host.all_roles for r in wanted)]


def addresses(fleet: Fleet, names: Iterable[str]) -> dict[str, list[str]]:
    """The IP addresses of hosts, by version; names are left out (config demands an address where one is needed)."""
    return by_version(address for name in names for address in fleet.hosts[name].addresses)


def by_version(every: Iterable[str]) -> dict[str, list[str]]:
    """IP addresses as the firewall's file has them; names are left out."""
    found: dict[str, list[str]] = {"v4": [], "v6": []}
    for address in every:
        try:
            version = ipaddress.ip_address(address).version
        except ValueError:
            continue
        found[f"v{version}"].append(address)
    return found
