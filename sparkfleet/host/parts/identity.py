"""Fleet, host → what the role identity wants of a host beside its templates: a certificate that names the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.authority import ISSUING
from sparkfleet.host.parts import Parts, Secret
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

FOLDER = "/etc/sparkfleet/identity"


def identity(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """The authority's certificates; key and certificate of the host are made on it."""
    known = fleet.controller.authority / str(fleet.authority.generation) / "authority.crt"
    return Parts(secrets={f"{FOLDER}/authority.crt": Secret(f"file:{known}", ISSUING)})


def asked(fleet: Fleet, name: str) -> list[str]:
    """The hosts that must be as described before this one: the authority, where it asks for its certificate."""
    others = [other for other in fleet.with_role(Role.AUTHORITY) if other != name]
    return others if Role.IDENTITY in fleet.hosts[name].all_roles else []


def authority_first(fleet: Fleet) -> list[str]:
    """Every host, in the order of the description, but the authority's before those that ask it."""
    return sorted(fleet.hosts, key=lambda name: Role.AUTHORITY not in fleet.hosts[name].all_roles)
