"""A real S3 server of each test's own, as the bucket that models are promoted to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workloads.object_store import ObjectStore
from workloads.label.promoting.repository import Repository
from workloads.label.site import Models

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "serving"


class ModelStore(ObjectStore):
    """One bucket of models."""

    @property
    def models(self) -> Models:
        """Its part of a site file."""
        return Models(
            endpoint=self.endpoint, region="us-east-1", bucket=self.bucket, prefix=PREFIX, credentials=self.key_file
        )

    def repository(self, model: str) -> Repository:
        """A model's part of the bucket."""
        return Repository(self.models, model)

    def file(self, *parts: str) -> Path:
        """A model's object as it lies on the store's disk."""
        return self.object(PREFIX, *parts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ModelStore]:
    """One of its own for each test."""
    made = ModelStore(tmp_path / "store", "models")
    made.start()
    yield made
    made.kill()
