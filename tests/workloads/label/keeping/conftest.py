"""A real store for all tests of kept records, and for each a project with records of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workloads.label.keeping.kept import BUCKET, KeptProject
from tests.workloads.object_store import ObjectStore, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One store for the session."""
    with serving(tmp_path_factory.mktemp("kept"), BUCKET) as store:
        yield store


@pytest.fixture
def project(served: ObjectStore, tmp_path: Path) -> KeptProject:
    """On a host of its own, filled."""
    served.again()
    return KeptProject(tmp_path, served).described().filled()
