"""A tailnet's policy and its nodes → who reaches what: our own reading of Tailscale's rules, for tests alone.

Written from https://tailscale.com/docs/reference/syntax/policy-file and .../grants, and not from the code that renders
policies. `rules` is what a control server makes of a policy; tests/lab asks tailscaled's own packet filter about the
same rules. An alias is its address and no more: Tailscale does not add the other address of that node.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

PROTOCOLS = {"tcp": [6], "udp": [17], "icmp": [1, 58], "*": [6, 17, 1, 58]}


@dataclass(frozen=True)
class Node:
    """One node: whose it is, or which tags it has, and its addresses."""

    name: str
    addresses: tuple[str, ...]
    login: str = ""
    tags: tuple[str, ...] = ()


class Tailnet:
    """A policy in force among some nodes."""

    def __init__(self, policy: dict[str, Any], nodes: list[Node], admins: tuple[str, ...] = ()) -> None:
        self.policy = policy
        self.nodes = nodes
        self.admins = admins
        self.rules = [self._rule(grant, item) for grant in policy["grants"] for item in grant["ip"]]

    def addresses(self, selector: str) -> list[str]:
        """Every address that a selector names; raises KeyError, ValueError for one that is defined nowhere."""
        if selector in self.policy["hosts"]:
            return [self.policy["hosts"][selector]]
        if not any(sign in selector for sign in ("*", "@", "tag:", "group:")):
            return [str(ip_address(selector))]
        return [address for node in self.nodes if self._names(selector, node) for address in node.addresses]

    def _names(self, selector: str, node: Node) -> bool:
        """Whether a selector of tags or people names a node."""
        kind, _, rest = selector.partition(":")
        match kind, rest:
            case "tag", _:
                return bool(self.policy["tagOwners"][selector]) and selector in node.tags
            case "group", _:
                return node.login in self.policy["groups"][selector]
            case "autogroup", "admin":
                return node.login in self.admins
            case "autogroup", "member":
                return bool(node.login)
        return selector in {"*", node.login}

    def allows(self, source: str, address: str, port: int, protocol: str = "tcp") -> bool:
        """Whether a packet from one address to a port of another passes, as tailscaled decides it."""
        if (":" in source) != (":" in address):
            return False
        number = PROTOCOLS[protocol][0]
        for rule in self.rules:
            if source not in rule["SrcIPs"]:
                continue
            for opened in rule["DstPorts"]:
                inside = opened["Ports"]["First"] <= port <= opened["Ports"]["Last"]
                # To whom any port is open, pings are, too (wgengine/filter: "allow ICMP to it").
                if opened["IP"] == address and (protocol == "icmp" or (number in rule["IPProto"] and inside)):
                    return True
        return False

    def failures(self) -> list[str]:
        """Which of the policy's own tests do not hold: then a control server refuses it."""
        found = []
        for test in self.policy["tests"]:
            for wanted, places in ((True, test.get("accept", [])), (False, test.get("deny", []))):
                for place in places:
                    host, _, port = place.rpartition(":")
                    if self._reaches(test["src"], host.strip("[]"), int(port), test["proto"]) != wanted:
                        found.append(f"{test['src']} → {place} ({test['proto']}): expected {wanted}")
        return found + [
            f"sshTests: {test['src']}: {rule}"
            for test in self.policy["sshTests"]
            for rule in self.policy["ssh"]  # any rule would have to be looked at; there is none
        ]

    def _reaches(self, source: str, host: str, port: int, protocol: str) -> bool:
        """As a test asks: from each address of the source to one of the place, of the same version."""
        sources, places = self.addresses(source), self.addresses(host)
        assert sources, f"{source} is no node"
        assert places, f"{host} is no node"
        pairs = [(one, to) for one in sources for to in places if (":" in one) == (":" in to)]
        return bool(pairs) and all(self.allows(one, to, port, protocol) for one, to in pairs)

    def _rule(self, grant: dict[str, Any], item: str) -> dict[str, Any]:
        """One FilterRule of the control protocol (tailcfg)."""
        protocol, _, ports = item.rpartition(":")
        first, _, last = ports.partition("-")
        between = (0, 65535) if ports == "*" else (int(first), int(last or first))
        return {
            "SrcIPs": [address for selector in grant["src"] for address in self.addresses(selector)],
            "DstPorts": [
                {"IP": address, "Ports": {"First": between[0], "Last": between[1]}}
                for selector in grant["dst"]
                for address in self.addresses(selector)
            ],
            "IPProto": PROTOCOLS[protocol or "*"],
        }
