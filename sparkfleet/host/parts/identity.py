"""Fleet, host → what the role identity wants of a host beside its templates: a certificate that names the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.authority import ISSUING
from sparkfleet.host.parts import Parts, Secret

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

FOLDER = "/etc/sparkfleet/identity"


def identity(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """The authority's certificates; key and certificate of the host are made on it."""
    known = fleet.controller.authority / str(fleet.authority.generation) / "authority.crt"
    return Parts(secrets={f"{FOLDER}/authority.crt": Secret(f"file:{known}", ISSUING)})
