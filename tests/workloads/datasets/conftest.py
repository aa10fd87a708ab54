"""A real store for all tests of data sets, and a fresh mirror for each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.workloads.datasets.serving import BUCKET, Mirror
from tests.workloads.object_store import KEY, ObjectStore, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """One store for the session."""
    with serving(tmp_path_factory.mktemp("store"), BUCKET) as store:
        yield store


@pytest.fixture
def mirror(served: ObjectStore, tmp_path: Path) -> Mirror:
    """An empty host, and a prefix of its own in the store."""
    served.again()
    key = tmp_path / "s3.json"
    key.write_text(json.dumps({"Version": 1, **KEY}))
    return Mirror(served, tmp_path / "host", key, f"shared/{tmp_path.name}")
