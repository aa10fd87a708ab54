"""Questions and orders to a tailnet's control server → HTTP over its unix socket, which root alone can open.

What an administrator does on Tailscale's console, for tests and drills: nodes, their addresses, keys; and who
reaches what, as packet filter rules: making these of a policy is left to who asks.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from socket import AF_UNIX
from socket import socket as new_socket
from typing import TYPE_CHECKING, Any, Literal

from lab import record
from lab.errors import LabError
from lab.spark.machine import TAILNET_SOCKET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.instance import Instance

KeyState = Literal["valid", "expired", "replaced", "deleted", "unknown"]
PATIENCE_S = 10.0
TAG, CONTROLLER_TAG = "tag:spark", "tag:controller"  # of stand-ins, of this machine


@dataclass(frozen=True)
class Node:
    """One node as the control server knows it."""

    name: str
    node_key: str  # nodekey:…, public
    addresses: tuple[str, ...]  # v4, v6
    tags: tuple[str, ...]
    online: bool  # it holds a connection to the control server
    expired: bool
    last_seen: str  # RFC 3339


class Admin:
    """The control server of one lab. Every method raises LabError with the server's words when it refuses."""

    def __init__(self, path: Path) -> None:
        """Speak through the socket at `path`."""
        self._path = path

    def nodes(self) -> dict[str, Node]:
        """Every node by its name."""
        listed = self._ask("GET", "/nodes")
        made = [Node(**{**one, "addresses": tuple(one["addresses"]), "tags": tuple(one["tags"])}) for one in listed]
        return {node.name: node for node in made}

    def node(self, name: str) -> Node:
        """One of them; raises LabError when it has not joined."""
        nodes = self.nodes()
        if name not in nodes:
            raise LabError(f"{name} is not in the tailnet; {', '.join(nodes) or 'nobody'} is")
        return nodes[name]

    def set_address(self, name: str, address: str) -> None:
        """Give a node another IPv4 address, at once; its IPv6 address follows."""
        self._ask("PUT", f"/nodes/{name}/address", {"address": address})

    def expire(self, name: str) -> None:
        """End its node key's validity: it is cut off until it logs in again."""
        self._ask("POST", f"/nodes/{name}/expire")

    def delete(self, name: str) -> None:
        """Forget a node; its node key is refused for ever, its name and address are free."""
        self._ask("DELETE", f"/nodes/{name}")

    def key_state(self, node_key: str) -> KeyState:
        """What a node key is worth: replaced and deleted ones are refused."""
        found: KeyState = self._ask("GET", f"/node-keys/{node_key}")["state"]
        return found

    def make_key(self, *, tags: Sequence[str] = (TAG,), reusable: bool = True) -> str:
        """A new auth key; who joins with it gets its tags."""
        made: str = self._ask("POST", "/auth-keys", {"tags": list(tags), "reusable": reusable})["key"]
        return made

    def revoke_key(self, auth_key: str) -> bool:
        """Let nobody in with it any more; whether it was good until now."""
        was: bool = self._ask("POST", "/auth-keys/revoke", {"key": auth_key})["was"]
        return was

    def set_filter(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """Put packet filter rules (tailcfg.FilterRule), one at least, in force on every node.

        Until then every node reaches every other.
        """
        self._ask("PUT", "/filter", rules)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = _OverSocket(self._path)
        try:
            connection.request(method, path, json.dumps(body))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except OSError as error:
            raise LabError(f"the control server of the tailnet does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise LabError(f"the control server of the tailnet refuses: {said['error']}")
        return said


class _OverSocket(http.client.HTTPConnection):
    """HTTP through a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = new_socket(AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))


def admin(instance: Instance) -> Admin:
    """The control server of that lab."""
    return Admin(socket(instance))


def socket(instance: Instance) -> Path:
    """Where it listens: beside the records, as a checkout's path may be too long for a socket (108 bytes)."""
    return record.folder(instance) / TAILNET_SOCKET
