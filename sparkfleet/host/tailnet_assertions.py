"""Fleet → the tests of its tailnet's policy: what must be reached and what must not, for the control server to hold.

Pure. Whoever edits the policy, on the console too, is refused by the control server when a test fails. The tests are
made from `openings`, not from the grants: for one person of each kind and one host of each kind, every port that
any host of the fleet opens. Form: https://tailscale.com/docs/reference/syntax/policy-file#tests. Its `src` takes no
autogroup, so whoever is described by one alone is not tested; and what one might be allowed as a member of such a
group is not tested as refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkfleet.host.openings import PEOPLE, Party, machines, over_tailnet
from sparkfleet.host.tailnet_grants import address_of, endpoints, is_login, nodes, subjects

if TYPE_CHECKING:
    from collections.abc import Collection

    from sparkfleet.model import Fleet

PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True)
class Source:
    """One whose connections are tested: a login, a tag, or a host by its alias."""

    name: str
    parties: frozenset[Party]
    host: bool = False


def tests(fleet: Fleet) -> list[dict[str, Any]]:
    """One test for each source and protocol; one without a destination is left out."""
    made = []
    for source in sources(fleet):
        for protocol in PROTOCOLS:
            accept, deny = _sorted(fleet, source, protocol)
            if accept or deny:
                test = {"src": source.name, "proto": protocol, "accept": accept, "deny": deny}
                made.append({key: value for key, value in test.items() if value})
    return made


def ssh_tests(fleet: Fleet) -> list[dict[str, Any]]:
    """Tailscale SSH lets nobody in, under no name: it would be a second way in, past sshd and its keys."""
    accounts = list(dict.fromkeys(["root", fleet.controller.user, *fleet.access.users]))
    return [{"src": source.name, "dst": [*fleet.tailnet.tags], "deny": accounts} for source in sources(fleet)]


def sources(fleet: Fleet) -> list[Source]:
    """One for each kind: people and machines by the parties that they are of, hosts by their roles."""
    parties: dict[str, frozenset[Party]] = {}
    for party in PEOPLE:
        for subject in subjects(fleet, party):
            if is_login(subject) or subject.startswith("tag:"):
                parties[subject] = parties.get(subject, frozenset()) | {party}
    people = [Source(name, kind) for name, kind in _first_of_each(parties).items()]
    of_host = {name: _parties_of(fleet, name) for name in kinds(fleet)}
    return [*people, *(Source(name, found, host=True) for name, found in of_host.items())]


def kinds(fleet: Fleet) -> list[str]:
    """The first host of each set of roles, of those whose address is known."""
    inside = {name: fleet.hosts[name].all_roles for name, addresses in nodes(fleet).items() if addresses}
    return list(_first_of_each(inside))


def _first_of_each(kind_of: dict[str, Any]) -> dict[str, Any]:
    """Those of these names that are the first of their kind."""
    first = {kind: name for name, kind in reversed(kind_of.items())}
    return {name: kind for name, kind in kind_of.items() if first[kind] == name}


def _parties_of(fleet: Fleet, name: str) -> frozenset[Party]:
    return frozenset(party for party in Party if party not in PEOPLE and name in machines(fleet, (party,)))


def _sorted(fleet: Fleet, source: Source, protocol: str) -> tuple[list[str], list[str]]:
    """What the source reaches by this protocol, and what it surely does not, each as "host:port"."""
    accept, deny = [], []
    for place, who in _who(fleet, protocol).items():
        if source.host and place.startswith(f"{source.name}:"):
            continue
        if source.parties & who:
            accept.append(place)
        elif _certain(fleet, source, who):
            deny.append(place)
    return accept, deny


def _who(fleet: Fleet, protocol: str) -> dict[str, set[Party]]:
    """Who reaches each port of each host of its kind, and of what lies beside the hosts: "host:port" → parties."""
    found: dict[str, set[Party]] = {}
    inside = nodes(fleet)
    on_tag = {opening for name in inside for opening in over_tailnet(fleet, name) if opening.service == "ssh"}
    for name in kinds(fleet):
        opened = on_tag | {*over_tailnet(fleet, name)}
        for port in _ports(fleet, protocol):
            who = {party for one in opened if one.port in {"all", f"{protocol}/{port}"} for party in one.who}
            found[f"{name}:{port}"] = who
    aliases = {addresses[0]: name for name, addresses in inside.items() if addresses}
    for endpoint in endpoints(fleet) if protocol == "tcp" else ():
        if place := address_of(fleet, endpoint.url):
            written = aliases.get(place[0]) or (f"[{place[0]}]" if ":" in place[0] else place[0])
            found.setdefault(f"{written}:{place[1]}", set()).update(endpoint.who)
    return found


def _ports(fleet: Fleet, protocol: str) -> list[int]:
    """Every port that some host opens by this protocol, and those on loopback, where nobody is to get at all."""
    opened = {opening.port for name in nodes(fleet) for opening in over_tailnet(fleet, name)}
    numbers = {int(port.partition("/")[2]) for port in opened if port.startswith(f"{protocol}/")}
    inner = {fleet.ollama.port, fleet.monitoring.grafana.port} if protocol == "tcp" else set()
    return sorted(numbers | inner)


def _certain(fleet: Fleet, source: Source, who: Collection[Party]) -> bool:
    """Whether the source is surely none of these: a login or tag might be a member of a group that is not ours."""
    foreign = (one for party in who if party in PEOPLE for one in subjects(fleet, party))
    return source.host or not any(one.startswith(("autogroup:", "group:")) for one in foreign)
