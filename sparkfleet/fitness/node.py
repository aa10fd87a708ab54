"""The description of where hosts get Python packages from, typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from sparkfleet.forms import Described, HostPath, Url

if TYPE_CHECKING:
    from collections.abc import Mapping


class Node(Described):
    """The environments that hosts with the roles node, label and jupyter build from hashed locks."""

    index: Url = Field(
        default="", description="of packages; empty: what the host's own pip uses. No place for a secret"
    )
    wheels: HostPath | None = Field(default=None, description="a folder on the host, asked instead of any index")

    @property
    def sources(self) -> Mapping[str, str]:
        """The same as the host's program reads it."""
        return {"index": self.index, "wheels": str(self.wheels or "")}
