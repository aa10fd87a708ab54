"""The description of driver and clocks, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import Described, matching

Branch = Annotated[str, matching(r"[1-9][0-9]{2}", 'a driver branch such as "580"')]


class Driver(Described):
    """The NVIDIA driver: on DGX OS it is only held and checked."""

    manage: Literal["hold", "install"] = Field(
        default="hold", description="install: the branch's open kernel modules, on plain Ubuntu alone"
    )
    branch: Branch = Field(default="580", description="DGX OS supports one branch: there it is never changed")


class Gpu(Described):
    """The GB10 and its driver, on hosts with the role gpu."""

    driver: Driver = Driver()
    clock_cap_mhz: int | None = Field(
        default=None, ge=208, le=3003, description="SM clock, set after each boot and driver reload; null: none"
    )
