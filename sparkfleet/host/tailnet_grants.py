"""Fleet → who may reach which port in its tailnet, as the grants of the tailnet's policy.

Pure. What is not granted is refused. Two guards stand at a host's port, this one and its firewall; both are made from
`openings`. Form of a grant: https://tailscale.com/docs/reference/syntax/grants.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sparkfleet.host.openings import ONLY, PEOPLE, Party, machines, over_tailnet
from sparkfleet.model import Role
from sparkfleet.tailnet_checks import in_tailnet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkfleet.host.openings import Opening
    from sparkfleet.model import Fleet

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Grant:
    """One line of the policy: who (`src`) reaches which ports (`ip`) of what (`dst`), and what that is."""

    what: str
    src: tuple[str, ...]
    dst: tuple[str, ...]
    ip: tuple[str, ...]


@dataclass(frozen=True)
class Endpoint:
    """A service beside the hosts that the description names, and who has to reach it."""

    what: str
    url: str
    who: tuple[Party, ...]


def nodes(fleet: Fleet) -> dict[str, list[str]]:
    """The fleet's nodes: host name → its described addresses in the tailnet, IPv4 first; none before it has joined."""
    found = {}
    for name in fleet.with_role(Role.TAILNET):
        inside = [address for address in fleet.hosts[name].addresses if in_tailnet(address)]
        found[name] = sorted(inside, key=lambda address: ipaddress.ip_address(address).version)
    return found


def selectors(fleet: Fleet, party: Party) -> tuple[str, ...]:
    """How the policy names a party: a group of its logins and whatever else it is; hosts by tag, alias or address."""
    if party in PEOPLE:
        described = subjects(fleet, party)
        logins = [one for one in described if is_login(one)]
        return (*([group(fleet, party)] if logins else []), *(one for one in described if one not in logins))
    if party is Party.HOSTS:
        return tuple(fleet.tailnet.tags)
    return tuple(s for name in machines(fleet, (party,)) for s in places(fleet, name))


def subjects(fleet: Fleet, party: Party) -> list[str]:
    """The people and machines of a party, as they are described."""
    described: list[str] = getattr(fleet.tailnet.policy, party)
    return list(dict.fromkeys(described))


def is_login(subject: str) -> bool:
    """Whether it is one person's login."""
    return "@" in subject and not subject.startswith("group:")


def places(fleet: Fleet, name: str) -> tuple[str, ...]:
    """How the policy names one host: its alias, which is its first address, and its further addresses themselves."""
    inside = nodes(fleet).get(name, [])
    return (name, *inside[1:]) if inside else ()


def group(fleet: Fleet, party: Party) -> str:
    """The group in which the logins of a party stand."""
    return f"group:{fleet.fleet}-{party}"


def grants(fleet: Fleet) -> list[Grant]:
    """Every line, those of the hosts' own openings first."""
    inside = nodes(fleet)
    sharing: dict[Opening, list[str]] = {}
    for name in inside:
        for opening in over_tailnet(fleet, name):
            sharing.setdefault(opening, []).append(name)
    made = [_grant(fleet, opening, names) for opening, names in sharing.items()]
    for endpoint in endpoints(fleet):
        found = address_of(fleet, endpoint.url)
        if found:
            src = _all(fleet, endpoint.who)
            made.append(Grant(endpoint.what, src, (found[0],), (f"tcp:{found[1]}",)))
    return [grant for grant in made if grant.src and grant.dst]


def endpoints(fleet: Fleet) -> list[Endpoint]:
    """What the description names beside the hosts, in the tailnet or not."""
    label, cloud, monitoring = fleet.label, fleet.cloud, fleet.monitoring
    studio = label.label_studio.url if label.label_studio else ""
    store = cloud.onprem if cloud.provider == "onprem" else None
    receivers = (monitoring.receivers.page, monitoring.receivers.ticket, monitoring.receivers.remediation)
    found = [
        Endpoint("Label Studio", studio, (Party.OPERATORS, Party.REVIEWERS, Party.LABELLERS)),
        Endpoint("Calypso, for `spark align`", fleet.calypso.url, (Party.OPERATORS,)),
        Endpoint("Calypso, for the label loop", label.calypso.url or fleet.calypso.url, (Party.LABELLERS,)),
        Endpoint("Calypso's metrics", label.calypso.metrics_url, (Party.MONITORS,)),
        Endpoint("the object store", store.endpoint if store else "", (Party.OPERATORS, Party.HOSTS)),
        Endpoint("the object store's identities", store.iam_endpoint if store else "", (Party.OPERATORS,)),
        *(Endpoint("who is told of alerts, by the monitor", one.webhook, (Party.MONITORS,)) for one in receivers),
        Endpoint(
            "who is told that the monitor lives, by the monitor",
            monitoring.receivers.deadman.webhook,
            (Party.MONITORS,),
        ),
        Endpoint(
            "where the monitor's samples go as well",
            monitoring.amp.remote_write_url if monitoring.amp else "",
            (Party.MONITORS,),
        ),
    ]
    if monitoring.grafana.mode == "push":
        found.append(Endpoint("Grafana", monitoring.grafana.url, (Party.OPERATORS, Party.USERS)))
    return list(dict.fromkeys(endpoint for endpoint in found if endpoint.url))


def address_of(fleet: Fleet, url: str) -> tuple[str, int] | None:
    """Address and port of a URL in the tailnet; None for one that is elsewhere, or a name that is not described."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    address = fleet.tailnet.policy.nodes.get(name, name)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    return (address, port) if in_tailnet(address) and port else None


def _grant(fleet: Fleet, opening: Opening, names: list[str]) -> Grant:
    """What some hosts open, all in the same way."""
    protocol, _, number = opening.port.partition("/")
    ports = ("*",) if opening.port == "all" else (f"{protocol}:{number}",)
    if opening.service == "ssh":
        # By tag: a host whose address changes must not be locked out by its own policy.
        what = f"{opening.what}, whose keys decide who gets in, and pings: the monitor's prober looks at both"
        return Grant(what, _all(fleet, opening.who), tuple(fleet.tailnet.tags), (*ports, "icmp:*"))
    asking = machines(fleet, opening.who)
    beyond = [name for name in names if asking != [name]]  # nobody needs a grant to reach himself
    dst = tuple(place for name in beyond for place in places(fleet, name))
    why = {"address": f": {ONLY.get(opening.who)}", "tailscaled": ", past the host's firewall: tailscaled serves it"}
    return Grant(opening.what + why.get(opening.guard, ""), _all(fleet, opening.who), dst, ports)


def _all(fleet: Fleet, who: Iterable[Party]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(selector for party in who for selector in selectors(fleet, party)))
