"""Pulumi's mocked engine → every registration, whole: the mocks alone see no parent, protection or dependency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.runtime.mocks import MockMonitor

if TYPE_CHECKING:
    from pulumi.runtime.mocks import Mocks

Registered = dict[tuple[str, str], Any]


class Recorder(MockMonitor):
    """`registered`: type and name → the request."""

    def __init__(self, answers: Mocks) -> None:
        super().__init__(answers)
        self.registered: Registered = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        """Record the request under type and name, which must be unique."""
        if request.type != "pulumi:pulumi:Stack":
            assert (request.type, request.name) not in self.registered
            self.registered[request.type, request.name] = request
        return super().RegisterResource(request)
