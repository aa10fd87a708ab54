"""Options, settings and fixtures of every test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings

from tests.lab_fixtures import lab_instance, sparks

if TYPE_CHECKING:
    import pytest

__all__ = ["lab_instance", "sparks"]  # fixtures: one lab a session, for all folders

# A machine that does other work besides must not turn a right answer into a failure for being slow.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden files anew; the diff is then read by a person."""
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew instead of comparing")
