"""The project of the model's tests, too."""

from tests.workloads.label.model.conftest import archive, artifacts, label_python

__all__ = ["archive", "artifacts", "label_python"]
