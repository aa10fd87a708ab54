"""A host's node key in its tailnet → its successor, by a new login with the settings kept, proven over that tailnet.

The control server ends the old node key with the login itself, so there is no time with two. The host guards itself:
a login that is not accepted puts the old node key back (tailnet_script.py), whether the controller is there or not.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sparkfleet import secrets
from sparkfleet.errors import RotationError, UnreachableError
from sparkfleet.host.connection import Target
from sparkfleet.rotate import door
from sparkfleet.rotate.story import Story
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.model import Fleet

BY = "spark rotate tailnet"
SCRIPT = "tailnet_script.py"
LOGIN_S = 60
PROOF_S = 60.0  # until every peer has heard of the new node key
NODE_KEY = re.compile(r"nodekey:[0-9a-f]{64}")


def rotate(fleet: Fleet, name: str, say: Callable[[str], None]) -> Story:
    """Give the host a new node key. A run that was killed is run again: the host then gets one more.

    Raises RotationError, with the old node key in use, when the login is refused; UnreachableError, LockedError.
    """
    story = Story(fleet, "rotate-tailnet", say)
    auth_key = secrets.resolve(fleet.tailnet.auth_key) if fleet.tailnet.auth_key else ""
    if not auth_key:
        raise RotationError(
            "tailnet.auth_key is not described, and a new node key needs a new login.",
            next_step="write the reference of an auth key (or of an OAuth client's secret) there.",
        )
    with door.opened(fleet, name, BY) as opened:
        before = _node(opened)
        old = before["node_key"]
        story.tell(name, "began", old=old)
        after = _reauthenticated(fleet, opened, before, auth_key)
        story.tell(name, "switched", old=old, new=after["node_key"])
    address = prove(fleet, name, after["addresses"])
    story.tell(name, "proven", new=after["node_key"], detail=f"over {address}" if address else "over another address")
    with door.opened(fleet, name, BY) as opened:
        opened.call("dates")
    story.tell(name, "done", old=old, new=after["node_key"])
    return story


def prove(fleet: Fleet, name: str, addresses: list[str]) -> str:
    """A new connection over the tailnet alone, asked for until peers know the node; the address that answered.

    Without a described tailnet address it goes to any, and "" says that the tailnet itself is not proven.
    """
    target = Target.of(fleet, name)
    inside = tuple(a for a in target.addresses if a in addresses)
    end = time.monotonic() + PROOF_S
    while True:
        try:
            found = door.prove(replace(target, addresses=inside or target.addresses))
        except UnreachableError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
        else:
            return found if inside else ""


def _reauthenticated(fleet: Fleet, opened: door.Door, before: dict[str, Any], auth_key: str) -> dict[str, Any]:
    """The node after the login. The session that asked for it may not outlive it: then a new one asks how it went."""
    try:
        wanted = {"auth_key": auth_key, "tags": fleet.tailnet.tags, "wait_s": LOGIN_S}
        opened.script(SCRIPT, {"do": "reauth", **wanted})
        return _node(opened)
    except UnreachableError:
        end = time.monotonic() + LOGIN_S + PROOF_S
        while True:
            try:
                with door.way_in(fleet, opened.name) as session:
                    after = _node(door.Door(fleet, opened.name, session))
                    if after["node_key"] != before["node_key"]:
                        return after
            except UnreachableError:
                if time.monotonic() > end:
                    raise
            if time.monotonic() > end:
                raise
            time.sleep(1)


def _node(opened: door.Door) -> dict[str, Any]:
    """The node that the host is; raises RotationError when it is none."""
    found = opened.script(SCRIPT, {"do": "state"})
    if found.get("state") != "Running" or not NODE_KEY.fullmatch(str(found.get("node_key"))):
        raise RotationError(
            f"{opened.name} is no node of its tailnet (tailscaled: {printable(str(found.get('state') or 'away'))}).",
            usually="it was logged out, or tailscaled is stopped.",
            next_step="run `pulumi up`; then the same command again.",
        )
    return {"node_key": str(found["node_key"]), "addresses": door.strings(found.get("addresses"))}
