"""The description of driver and clocks, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import Described, matching

Branch = Annotated[str, matching(r"[1-9][0-9]{2}", 'a driver branch such as "580"')]
Kernel = Annotated[str, matching(r"[1-9][0-9]*\.[0-9]+", 'a kernel branch such as "6.17"')]
CUDA_VERSION = r"[1-9][0-9]\.[0-9]"
CudaVersion = Annotated[str, matching(CUDA_VERSION, 'a version of CUDA such as "13.0"')]

# The highest CUDA that a driver branch runs, as the containers of Triton bring them together (their
# docs/introduction/compatibility.md, read 2026-10). A toolkit above it makes PTX that the driver does not take.
CUDA_OF_BRANCH = {
    "570": "12.8",
    "575": "12.9",
    "580": "13.0",
    "590": "13.1",
    "595": "13.2",
    "610": "13.3",
    "615": "13.4",
}


class Driver(Described):
    """The NVIDIA driver: on DGX OS it is only held and checked."""

    manage: Literal["hold", "install"] = Field(
        default="hold", description="install: the branch's open kernel modules, on plain Ubuntu alone"
    )
    branch: Branch = Field(default="580", description="DGX OS supports one branch: there it is never changed")


class Gpu(Described):
    """The GB10 and its driver, on hosts with the role gpu."""

    driver: Driver = Driver()
    kernel: Kernel = Field(
        default="6.17",
        description="of NVIDIA's kernels, the branch that may come although it runs under a condition alone; an "
        "upgrade checks the condition before it boots one",
    )
    cuda_toolkit: CudaVersion | None = Field(
        default=None, description="beside what the system has, in /usr/local/cuda-13.0; not above the driver's CUDA"
    )
    clock_cap_mhz: int | None = Field(
        default=None, ge=208, le=3003, description="SM clock, set after each boot and driver reload; null: none"
    )
