"""The description of upgrade, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import Described, HostName, PackageName, matching

UnitName = Annotated[str, matching(r"[A-Za-z0-9][A-Za-z0-9:_.@\\-]*\.service", 'a unit such as "ollama.service"')]


class Upgrade(Described):
    """In which rings hosts are upgraded and rebooted; the first host that is not well afterwards stops it."""

    canary: list[HostName] = Field(
        default_factory=list, description="the first ring; empty: the first host without the role monitor"
    )
    wave: list[HostName] = Field(
        default_factory=list, description="the second ring; empty: a quarter of the others, at least one"
    )
    soak_minutes: float = Field(
        default=10.0, ge=0, le=10080, description="after a ring; then its hosts are looked at again, before the next"
    )
    serving: list[UnitName] = Field(
        default_factory=list, description="stopped in this order before packages change, started again in reverse"
    )
    reboot: Literal["needed", "always"] = Field(
        default="needed", description="needed: when packages ask for it, or another kernel is next"
    )
    removals: list[PackageName] = Field(
        default_factory=list, description="packages that an upgrade may remove; any other removal is refused"
    )
    free_gib: float = Field(default=4.0, ge=0, description="on /, beyond what the new packages need")
    lock_timeout_s: int = Field(
        default=300, ge=1, le=3600, description="how long the host's other package managers are waited for"
    )
    apply_timeout_minutes: float = Field(default=60.0, gt=0, le=600, description="for all of a host's packages")
    boot_timeout_minutes: float = Field(default=15.0, gt=0, le=120, description="a GB10 with new firmware takes 8")
