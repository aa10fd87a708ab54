"""Fixtures for tests that need real stand-ins (simulated Sparks): one lab `test` a session, removed at its end.

    def test_something(sparks: Callable[[int], list[str]], lab_instance: Instance) -> None:
        first, second = sparks(2)      # names; spark-01 and spark-02 are on and answer on SSH

The stand-ins are shared: a test that wants a factory-fresh one takes a name of its own, with `spark.boot`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lab import down, record, spark
from lab.instance import Instance, host_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LABEL = "tests"


@pytest.fixture(scope="session")
def lab_instance() -> Iterator[Instance]:
    """The lab `test`, empty at first; whatever is in it at the end is removed, also after a failure."""
    if os.geteuid() != 0:
        pytest.skip("a lab needs root")
    instance = Instance.named("test")
    if other := record.alive(instance, LABEL):
        pytest.fail(f"another test session (process {other}) uses the lab `test`")
    down.down(instance.name)
    record.claim(instance)
    record.note_self(instance, LABEL)
    try:
        yield instance
    finally:
        down.down(instance.name)


@pytest.fixture(scope="session")
def sparks(lab_instance: Instance) -> Callable[[int], list[str]]:
    """Make sure that spark-01 … spark-0n are on; returns their names."""

    def boot(count: int) -> list[str]:
        names = host_names(count)
        spark.boot(lab_instance, names)
        return names

    return boot
