"""One lab with four stand-ins for the whole session; all of it is removed afterwards, also on failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import down, env, provision, stack
from lab import up as raising
from lab.instance import Instance, host_names
from lab.progress import Progress
from tests.e2e.under_test import FleetUnderTest

if TYPE_CHECKING:
    from collections.abc import Iterator

SPARKS = 4


@pytest.fixture(scope="session")
def fleet() -> Iterator[FleetUnderTest]:
    """Four adopted stand-ins, an object store and an empty stack; all of it is removed afterwards, also on failure."""
    instance = Instance.named("test")
    down.down(instance.name)
    try:
        with Progress() as progress:
            made = raising.up(instance, progress, sparks=SPARKS, variant="classic", provisioned=False)
        name = stack.write(instance, SPARKS)
        under_test = FleetUnderTest(instance, name, host_names(SPARKS))
        assert made.hosts == under_test.hosts
        for host in under_test.hosts:
            adopted = under_test.adopt(host)
            assert adopted.code == 0, adopted.text
        provision.init(instance, name, env.process(instance, name))
        yield under_test
    finally:
        down.down(instance.name)
        stack.file(instance, stack.name(instance, SPARKS)).unlink(missing_ok=True)
