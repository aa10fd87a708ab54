"""An authority for a module's tests, and a host of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sparkfleet.identity.step_ca import Host, StepCa

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StepCa]:
    """An authority that knows two hosts."""
    made = StepCa(tmp_path_factory.mktemp("ca"), ["spark-01", "spark-02"])
    made.configure()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def host(ca: StepCa, tmp_path: Path) -> Host:
    """A host to which the role was shipped."""
    made = Host(tmp_path, "spark-01", ca)
    made.prepare()
    return made


@pytest.fixture
def enrolled(host: Host) -> Host:
    """A host with a certificate."""
    host.enrol()
    return host
