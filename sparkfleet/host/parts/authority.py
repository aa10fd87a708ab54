"""Fleet, host → what the role authority wants of a host beside its templates.

The issuing key and what belongs to it reach the host as secrets; `sparkfleet.cloud.authority` keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.authority import CONFIGURATION, ISSUING
from sparkfleet.host.parts import Parts, Secret

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

FOLDER = "/etc/sparkfleet/authority"


def authority(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """step-ca, with the key that signs hosts' certificates."""
    kept = fleet.controller.authority
    issuing = kept / str(fleet.authority.generation)
    return Parts(
        secrets={
            f"{FOLDER}/ca.json": Secret(f"file:{kept / 'ca.json'}", CONFIGURATION),
            f"{FOLDER}/issuing.crt": Secret(f"file:{issuing / 'issuing.crt'}", ISSUING),
            f"{FOLDER}/issuing.key": Secret(f"file:{issuing / 'issuing.key'}", ISSUING),
            f"{FOLDER}/root.crt": Secret(f"file:{kept / 'root.crt'}", ISSUING),
        },
    )
