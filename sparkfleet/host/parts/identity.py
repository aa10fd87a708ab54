"""Fleet, host → what the role identity wants of a host beside its templates: a certificate that names the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.authority import ISSUING
from sparkfleet.host.parts import RUNNING, Parts, Secret
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

FOLDER = "/etc/sparkfleet/identity"
PROGRAM = "sparkfleet/host/identity.py"


def identity(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """The authority's certificates and what renews the host's own; that and its key are made on the host."""
    known = fleet.controller.authority / str(fleet.authority.generation) / "issuing.crt"
    return Parts(
        packages=("openssl", "python3"),
        units={"sparkfleet-identity.timer": RUNNING},
        raw={"/usr/local/lib/sparkfleet/identity.py": PROGRAM},
        secrets={f"{FOLDER}/authority.crt": Secret(f"file:{known}", ISSUING)},
        identity={"certificate": "valid"},
    )


def authorities(fleet: Fleet) -> list[str]:
    """Where a host asks, in order: `address:port`, IPv6 in brackets."""
    addresses = [one for name in fleet.with_role(Role.AUTHORITY) for one in fleet.hosts[name].addresses]
    return [f"[{one}]:{fleet.authority.port}" if ":" in one else f"{one}:{fleet.authority.port}" for one in addresses]


def enrolment(fleet: Fleet, name: str) -> dict[str, str]:
    """What a one-time token of the host is made of; empty when it asks for no certificate. The key is a reference."""
    if Role.IDENTITY not in fleet.hosts[name].all_roles:
        return {}
    key = fleet.controller.authority / "enrol" / f"{name}.key"
    # Which of its addresses is asked does not matter: step-ca knows this one as a name of its own.
    return {"host": name, "key": f"file:{key}", "audience": f"https://{authorities(fleet)[0]}/1.0/sign"}


def expected(fleet: Fleet, name: str) -> dict[str, Any]:
    """What the checks are told; empty on a host without the role."""
    if Role.IDENTITY not in fleet.hosts[name].all_roles:
        return {}
    return {"name": name, "lifetime_s": fleet.authority.lifetime_s}


def asked(fleet: Fleet, name: str) -> list[str]:
    """The hosts that must be as described before this one: the authority, where it asks for its certificate."""
    others = [other for other in fleet.with_role(Role.AUTHORITY) if other != name]
    return others if Role.IDENTITY in fleet.hosts[name].all_roles else []


def authority_first(fleet: Fleet) -> list[str]:
    """Every host, in the order of the description, but the authority's before those that ask it."""
    return sorted(fleet.hosts, key=lambda name: Role.AUTHORITY not in fleet.hosts[name].all_roles)
