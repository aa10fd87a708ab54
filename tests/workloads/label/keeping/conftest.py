"""A real store for all tests of kept records, and for each a project with records of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.keeping.kept import BUCKET, KeptProject
from tests.workloads.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One store for the session."""
    store = ObjectStore(tmp_path_factory.mktemp("kept"), BUCKET)
    store.start()
    yield store
    store.kill()


@pytest.fixture
def project(served: ObjectStore, tmp_path: Path) -> KeptProject:
    """On a host of its own, filled."""
    if served.process is None:
        served.start()
    return KeptProject(tmp_path, served).described().filled()
