"""The description of memory, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import ByteSize, Described, HostPath, UserName, matching

UnitName = Annotated[
    str, matching(r"[A-Za-z0-9@:_.*-]{1,200}\.(service|scope)", 'a unit such as "vllm.service" or "vllm@*.service"')
]
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Memory(Described):
    """The memory guard, on hosts with the role memory."""

    floor: ByteSize = Field(
        default="8G", description="what stays free beside a model, and while its weights are read: a user's watchdog"
    )
    every_s: int = Field(
        default=60, ge=10, le=86400, description="the least time between two runs that drop caches or compact memory"
    )
    watch_s: int = Field(
        default=900, ge=60, le=7200, description="how long the floor is watched at most while weights are read"
    )
    serving: list[UnitName] = Field(
        default_factory=list, description="units that use the GPU: while one is active nothing is evicted"
    )
    folders: list[HostPath] = Field(
        default_factory=list, description="of weights: their files leave the page cache before anything else does"
    )
    callers: list[UserName] = Field(
        default_factory=list, description="who may start the guard, beside the described people: users of services"
    )
    rule: Literal["polkit", "sudo"] = Field(
        default="polkit", description="by which they may; sudo where polkit is not wanted"
    )

    @property
    def floor_bytes(self) -> int:
        """The floor in bytes."""
        return int(self.floor[:-1]) * UNITS[self.floor[-1]]
