"""The lab's Calypso: NVIDIA's own Triton server, asked as `spark align` asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import calypso as triton
from lab import network, record
from sparkfleet.fitness import Calypso
from sparkfleet.host import align, align_table
from sparkfleet.host.calypso import CalypsoError, Server, ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.instance import Instance

pytestmark = pytest.mark.lab
REAL = Server("triton", "2.51.0", ready=True)  # the version that nvidia-pytriton 0.7.0 holds
KEY, VALUE = "admin-key", "of-this-test"


@pytest.fixture(scope="module")
def address(lab_instance: Instance) -> Iterator[str]:
    """The server, started and stopped as the lab's other services are."""
    network.up(lab_instance)
    yield triton.up(lab_instance, triton.ensure())
    triton.stop(lab_instance)


def test_the_real_server_says_what_it_is(address: str) -> None:
    """Its version is found in the table, and its container is too old for a GB10: 24.10 has CUDA 12."""
    assert ask(Calypso(url=address)) == REAL

    found = align.of_server(align_table.read(), REAL.version, "py3", "580.95.05")

    assert (found.release, found.state) == ("24.10", align.State.NOT_ALIGNED)
    assert "has no code for a GB10" in found.reasons[0]


def test_its_http_port_is_told_apart(address: str) -> None:
    """Who describes the other endpoint learns which one is meant."""
    with pytest.raises(CalypsoError, match="gRPC has 8001"):
        ask(Calypso(url=address.replace("8001", "8000")))


def test_starting_it_again_changes_nothing(address: str, lab_instance: Instance) -> None:
    """The same process answers at the same place, and `down` will find it."""
    before = record.alive(lab_instance, triton.LABEL)

    assert triton.up(lab_instance, triton.ensure()) == address
    assert record.alive(lab_instance, triton.LABEL) == before
    assert before


def test_a_real_restricted_server_is_opened_by_its_key(address: str, lab_instance: Instance, tmp_path: Path) -> None:
    """Triton's own --grpc-restricted-protocol: shut without the header, open with it."""
    triton.stop(lab_instance)
    triton.up(lab_instance, triton.ensure(), f"--grpc-restricted-protocol=metadata:{KEY}={VALUE}")
    (tmp_path / "value").write_text(VALUE + "\n")

    with pytest.raises(CalypsoError, match=r"calypso\.restricted"):
        ask(Calypso(url=address))
    assert ask(Calypso(url=address, restricted={"key": KEY, "value": f"file:{tmp_path}/value"})) == REAL
