"""The description of JupyterLab, typed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sparkfleet.forms import DNS_NAME, Described, UserName, matching

Name = Annotated[str, matching(DNS_NAME, "a DNS name")]


class Jupyter(Described):
    """JupyterLab on loopback, on hosts with the role jupyter."""

    user: UserName | None = Field(default=None, description="one of access.users: notebooks run as this person")
    port: int = Field(default=8888, ge=1024, le=65535, description="on loopback, and of the node in the tailnet")
    serve: bool = Field(default=True, description="by `tailscale serve` to the tailnet, where the host is in one")
    names: list[Name] = Field(
        default_factory=list, description="by which browsers reach it, too: its full name in the tailnet"
    )
    cull_idle_minutes: int = Field(
        default=720, ge=0, description="after which an idle kernel that nobody looks at ends; 0: never"
    )
