"""A host that leaves the fleet, or was stolen → every identity of it revoked, whether it can be reached or not.

In the order of what it could do harm with: its object-store user, its right to renew its certificate, its place in the
tailnet, who can log in to it, and last the host key by which it is believed. Safe to run again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.errors import RotationError, UnreachableError
from sparkfleet.host import keyring
from sparkfleet.model import Role
from sparkfleet.rotate import authority, door, tailnet
from sparkfleet.rotate.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.model import Fleet

BY = "spark retire"


def retire(fleet: Fleet, name: str, say: Callable[[str], None]) -> list[str]:
    """Revoke what the host has; returns what is left for people to do, one sentence each.

    Raises StoreError when its store user cannot be removed (nothing else was touched), and LockedError.
    """
    story = Story(fleet, "retire", say)
    pinned = keyring.pinned(keyring.read_pins(fleet.controller), name)
    prints = " ".join(key.fingerprint for key in pinned)
    story.tell(name, "began", old=prints)
    left = [*_store(fleet, name, story), *authority.revoke(fleet, name, BY, story), *_host(fleet, name, story)]
    keyring.revoke_host(fleet.controller, name)
    story.tell(name, "revoked-host-key", old=prints)
    left.append(
        f"take hosts.{name} out of the description; `pulumi up` then forgets its resources, and no longer scrapes it."
    )
    story.tell(name, "done")
    return left


def _store(fleet: Fleet, name: str, story: Story) -> list[str]:
    """Its keys end before anything else; the store is asked even when the host is off."""
    where = fleet.cloud.onprem
    if fleet.cloud.provider == "aws":
        return [
            f"the role of the account still knows {name}: its certificate opens it until that ends, or `pulumi up`."
        ]
    if fleet.cloud.provider == "none" or where is None:
        return []
    from sparkfleet.cloud import identities, objectstore

    store = objectstore.Connection(where.endpoint, where.region, where.admin, where.iam_endpoint)
    identities.remove_identity(store, f"{fleet.fleet}-{name}", fleet.controller.store_key(name))
    story.tell(name, "revoked-s3")
    return []


def _host(fleet: Fleet, name: str, story: Story) -> list[str]:
    """Everybody's keys on the host, ours last, and its place in the tailnet."""
    in_tailnet = Role.TAILNET in fleet.hosts[name].all_roles
    node = (
        f"delete the node {name} ({', '.join(fleet.hosts[name].addresses)}) at the tailnet's control server: "
        "Machines in the admin console, or DELETE /api/v2/device/<id>."
    )
    try:
        with door.opened(fleet, name, BY) as opened:
            gone = opened.script(tailnet.SCRIPT, {"do": "logout", "after_s": 2}) if in_tailnet else {}
            opened.call("revoke", people=sorted(fleet.access.users), keys=_keys(fleet))
    except (UnreachableError, RotationError) as error:
        story.tell(name, "not-reached", detail=error.what)
        away = f"{name} was not reached, so keys on it were left: {error.what} When it is back, wipe it before use."
        return [away, *([node] if in_tailnet else [])]
    story.tell(name, "revoked-logins")
    if in_tailnet and gone.get("leaves") is not True:
        return [node]
    if in_tailnet:
        story.tell(name, "left-tailnet")
    return []


def _keys(fleet: Fleet) -> dict[str, list[str]]:
    """Whose keys they are: as "type base64", by user."""
    ours = (keyring.controller_key(fleet.controller, which) for which in door.BESIDE)
    people = {user: [" ".join(k.split()[:2]) for k in one.authorized_keys] for user, one in fleet.access.users.items()}
    return {**people, fleet.controller.user: [str(key) for key in ours if key]}
