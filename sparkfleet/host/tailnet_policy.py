"""Fleet → the policy file of its tailnet, as JSON or as HuJSON with the reason beside each line.

Pure. The sections are those of https://tailscale.com/docs/reference/syntax/policy-file; headscale reads the same file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sparkfleet.host.openings import PEOPLE, Party
from sparkfleet.host.tailnet_assertions import ssh_tests, tests
from sparkfleet.host.tailnet_grants import address_of, endpoints, grants, group, is_login, nodes, selectors, subjects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkfleet.model import Fleet

ADMINISTRATORS = ["autogroup:admin"]
WORDS = {
    "groups": "The people, as tailnet.policy names them.",
    "tagOwners": "Who may give a tag: whoever has the hosts' tag is reached, and scraped, as one of them.",
    "hosts": "The addresses that the description has for the hosts.",
    "grants": "Who reaches what. Nothing else is reached, between people's devices and between hosts either.",
    "ssh": "Tailscale SSH is off: it would be a second way in, past sshd and its keys.",
    "nodeAttrs": "Nobody may open anything to the internet (Funnel).",
    "tests": "A change that breaks one of these is refused by the control server, whoever makes it, and where.",
    "sshTests": "The same, of Tailscale SSH.",
}


def document(fleet: Fleet) -> dict[str, Any]:
    """The whole policy, as JSON holds it."""
    logins = {party: [one for one in subjects(fleet, party) if is_login(one)] for party in PEOPLE}
    return {
        "groups": {group(fleet, party): found for party, found in logins.items() if found},
        "tagOwners": _tag_owners(fleet),
        "hosts": {name: inside[0] for name, inside in nodes(fleet).items() if inside},
        "grants": [{"src": [*one.src], "dst": [*one.dst], "ip": [*one.ip]} for one in grants(fleet)],
        "ssh": [],
        "nodeAttrs": [],
        "tests": tests(fleet),
        "sshTests": ssh_tests(fleet),
    }


def hujson(fleet: Fleet) -> str:
    """The same with words: JSON that has comments, and commas at the end."""
    return "\n".join(_lines(fleet)) + "\n"


def left_out(fleet: Fleet) -> list[str]:
    """What the policy cannot speak of, each with what to do about it."""
    unknown = [
        f"{name} has no address in the tailnet yet: sshd is granted, by tag, and nothing else; `spark plan {name}` "
        "shows the address once the host has joined"
        for name, inside in nodes(fleet).items()
        if not inside
    ]
    return unknown + [
        f"{endpoint.what}, {endpoint.url}: not in the tailnet, as far as the description says; a name of the tailnet "
        "stands in tailnet.policy.nodes"
        for endpoint in endpoints(fleet)
        if address_of(fleet, endpoint.url) is None
    ]


def _tag_owners(fleet: Fleet) -> dict[str, list[str]]:
    """Operators give the hosts' tags; any other tag that is named here is for the tailnet's administrators to give."""
    people = [one for one in selectors(fleet, Party.OPERATORS) if not one.startswith("tag:")]
    named = sorted(one for party in PEOPLE for one in subjects(fleet, party) if one.startswith("tag:"))
    owners = people or ADMINISTRATORS
    return {**dict.fromkeys(named, ADMINISTRATORS), **dict.fromkeys(fleet.tailnet.tags, owners)}


def _lines(fleet: Fleet) -> Iterator[str]:
    yield f"// The tailnet of the fleet {fleet.fleet}, as its description has it. Change that, and ask anew:"
    yield "//     spark tailnet policy"
    yield "{"
    reasons = [grant.what for grant in grants(fleet)]
    for section, value in document(fleet).items():
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        yield f"  // {WORDS[section]}"
        yield f'  "{section}": {opening}'
        for number, entry in enumerate(_entries(value)):
            if section == "grants":
                yield f"    // {reasons[number]}"
            yield f"    {entry},"
        yield f"  {closing},"
    yield "}"


def _entries(value: dict[str, Any] | list[Any]) -> list[str]:
    """One line each of what a section holds."""
    if isinstance(value, dict):
        return [f"{json.dumps(key)}: {json.dumps(one)}" for key, one in value.items()]
    return [json.dumps(one) for one in value]
