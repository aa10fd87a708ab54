"""The description of driver, clocks and what they must be aligned with, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import Described, Url, matching

Branch = Annotated[str, matching(r"[1-9][0-9]{2}", 'a driver branch such as "580"')]
Release = Annotated[str, matching(r"[0-9]{2}\.[0-9]{2}", 'a release of the Triton container such as "25.11"')]


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


class Calypso(Described):
    """The Triton server that the hosts must be aligned with."""

    url: Url = Field(default="", description="its HTTP endpoint; empty: it is not asked")
    release: Release | None = Field(default=None, description="of its container; null: asked of the server")
    variant: Literal["py3", "vllm", "trtllm"] | None = Field(
        default=None, description="of its container: the server itself does not tell"
    )
