"""The loop's containers, where a host runs it in some: bounded, and what was described."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from reading import size_bytes

if TYPE_CHECKING:
    from machine import Machine

ROOT = {"", "0", "root"}


@pytest.fixture
def containers(machine: Machine) -> dict[str, dict[str, Any]]:
    """Those that run."""
    if not machine.wanted["label"]["images"]:
        pytest.skip("the host runs no container of the loop: containers.loop is not described")
    if not machine.loop_containers:
        pytest.skip("no container of the loop runs now")
    return machine.loop_containers


@pytest.mark.control(id="LABEL-11", severity="high", source="sparkfleet")
def test_they_are_nobody_on_a_read_only_root(containers: dict[str, dict[str, Any]]) -> None:
    """The loop's containers do not run as root, and cannot change what they were made of.

    What the engine says of those that run.
    """
    wrong = [f"{name} runs as root" for name, one in containers.items() if one["Config"]["User"].split(":")[0] in ROOT]
    wrong += [f"{name} may write to its root" for name, one in containers.items() if not _host(one)["ReadonlyRootfs"]]
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="LABEL-12", severity="medium", source="GB10")
def test_each_has_its_limit_of_memory(machine: Machine, containers: dict[str, dict[str, Any]]) -> None:
    """Each of the loop's containers has a limit of memory, the described one where there is one.

    What the engine says of those that run. What the GPU's driver gives them is beyond it: the memory guard is asked.
    """
    for name, one in containers.items():
        service, limit = name.split("-")[1], _host(one)["Memory"]
        described = machine.wanted["label"]["images"].get(service, {}).get("memory", "")
        assert limit, f"{name} has no limit of memory"
        wanted = size_bytes(f"{described.upper()}B") if described else limit
        assert limit == wanted, f"{name} may have {limit} bytes, described is {described}"


@pytest.mark.control(id="LABEL-13", severity="high", source="sparkfleet")
def test_they_are_of_the_described_images(machine: Machine) -> None:
    """The loop's containers are of the described images, by digest: those that run, and those that start next.

    The engine's settings file for them; of which image each is that runs.
    """
    wanted = {service: one["image"] for service, one in machine.wanted["label"]["images"].items()}
    if not wanted:
        pytest.skip("the host runs no container of the loop: containers.loop is not described")
    assert machine.loop_images == wanted, f"the next start is of {machine.loop_images}; described are {wanted}"
    for name, one in machine.loop_containers.items():
        image = one["Config"]["Image"]
        assert image in wanted.values(), f"{name} is of {image}"


def _host(one: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = one["HostConfig"]
    return found
