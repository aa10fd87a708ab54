"""The description of what outlives a host with the role label, typed: whose kept records another host may read."""

from __future__ import annotations

from pydantic import Field

from sparkfleet.forms import Described, HostName


class Keep(Described):
    """Projects' small records, in the fleet's own bucket for artefacts, below the host's own name."""

    heirs: dict[HostName, HostName] = Field(
        default_factory=dict, description="host → another one, gone perhaps, whose records it may read and restore"
    )
