"""Fleet, host → what the role authority wants of a host beside its templates.

The issuing key and what belongs to it reach the host as secrets; `sparkfleet.cloud.authority` keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.authority import CONFIGURATION, ISSUING
from sparkfleet.host.openings import addresses
from sparkfleet.host.parts import RUNNING, UNPACK, Parts, Secret
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

FOLDER = "/etc/sparkfleet/authority"
UNIT = "sparkfleet-authority.service"
LINK = "/usr/local/bin/step-ca"


def folder(sha256: str) -> str:
    """Where the archive of that digest is unpacked."""
    return f"/opt/sparkfleet/step-ca-{sha256[:16]}"


def authority(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """step-ca with the key that signs hosts' certificates; its program when the description says from where."""
    wanted, kept = fleet.authority, fleet.controller.authority
    issuing = kept / str(wanted.generation)
    return Parts(
        packages=("ca-certificates", "python3", "tar") if wanted.url else (),
        units={UNIT: RUNNING},
        links={LINK: f"{folder(wanted.sha256)}/step-ca"} if wanted.url else {},
        raw=UNPACK if wanted.url else {},
        secrets={
            f"{FOLDER}/ca.json": Secret(f"file:{kept / 'ca.json'}", CONFIGURATION),
            f"{FOLDER}/issuing.crt": Secret(f"file:{issuing / 'issuing.crt'}", ISSUING),
            f"{FOLDER}/issuing.key": Secret(f"file:{issuing / 'issuing.key'}", ISSUING),
            f"{FOLDER}/root.crt": Secret(f"file:{kept / 'root.crt'}", ISSUING),
        },
    )


def expected(fleet: Fleet, name: str) -> dict[str, Any]:
    """What the checks are told; empty on a host without the role."""
    if Role.AUTHORITY not in fleet.hosts[name].all_roles:
        return {}
    known = addresses(fleet, fleet.hosts)
    return {"port": fleet.authority.port, "hosts": known["v4"] + known["v6"]}
