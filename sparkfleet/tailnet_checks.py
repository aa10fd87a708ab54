"""A raw description → what is wrong with who reaches what in its tailnet; and whether an address is one of a tailnet.

Works on unchecked data, as `cross_checks` does, which asks it.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://tailscale.com/kb/1015/100.x-addresses and /kb/1033/ip-and-dns-addresses
TAILNET_NETWORKS = (ipaddress.ip_network("100.64.0.0/10"), ipaddress.ip_network("fd7a:115c:a1e0::/48"))


def in_tailnet(address: Any) -> bool:
    """Whether an IP address is one that Tailscale gives out (100.64.0.0/10, fd7a:115c:a1e0::/48); a name is none."""
    try:
        found = ipaddress.ip_address(address) if isinstance(address, str) else None
    except ValueError:
        return False
    return any(found in network for network in TAILNET_NETWORKS if found and network.version == found.version)


def policy_faults(policy: Mapping[str, Any], tags: Any, owners: Mapping[str, str]) -> list[str]:
    """Hosts are nobody's operators; machines beside the fleet have addresses of the tailnet, which no host has.

    `owners` says whose each address of the fleet is.
    """
    named = {party: policy.get(party) for party in ("operators", "users", "reviewers")}
    faults = [
        f"tailnet.policy.{party}: {tag} is the hosts' own tag: who takes one host over would reach all others"
        for party, subjects in named.items()
        if isinstance(subjects, list) and isinstance(tags, list)
        for tag in subjects
        if tag in tags
    ]
    nodes = policy.get("nodes")
    for name, address in nodes.items() if isinstance(nodes, dict) else ():
        if not in_tailnet(address):
            faults.append(f"tailnet.policy.nodes.{name}: expected an address in the tailnet, found {address}")
        elif address in owners:
            faults.append(f"tailnet.policy.nodes.{name}: {address} is also an address of {owners[address]}")
    return faults
