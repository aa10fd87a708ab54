"""Fleet, host → what the role ollama wants of a host beside its templates.

The release's archive is unpacked into a folder of its digest by the role; a link makes one of them the host's Ollama.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.parts import RUNNING, UNPACK, Parts

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

UNIT = "ollama.service"  # as Ollama's own installer calls it
LINK = "/usr/local/bin/ollama"


def folder(sha256: str) -> str:
    """Where the archive of that digest is unpacked."""
    return f"/opt/sparkfleet/ollama-{sha256[:16]}"


def ollama(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """Its service, on loopback; its program when the description says from where."""
    wanted = fleet.ollama
    return Parts(
        packages=("ca-certificates", "python3", "tar", "zstd") if wanted.url else (),
        units={UNIT: RUNNING},
        raw=UNPACK if wanted.url else {},
        links={LINK: f"{folder(wanted.sha256)}/bin/ollama"} if wanted.url else {},
    )
