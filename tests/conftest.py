"""Options, settings and fixtures of every test."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.lab_fixtures import lab_instance, sparks

__all__ = ["lab_instance", "sparks"]  # fixtures: one lab a session, for all folders

# A machine that does other work besides must not turn a right answer into a failure for being slow.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

# What boots stand-ins takes longest and waits most: begun first, and one worker has all of a lab's tests.
FIRST = ("tests/e2e", "tests/lab")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together when `make test` uses several workers: those of one lab, those of one file."""
    for item in items:
        file = item.path.relative_to(item.config.rootpath).as_posix()
        folder = next((folder for folder in FIRST if file.startswith(folder)), None)
        lab = "tests/lab" if "lab_instance" in getattr(item, "fixturenames", ()) else None
        item.add_marker(pytest.mark.xdist_group(folder or lab or file))
    items.sort(key=lambda item: next((n for n, folder in enumerate(FIRST) if folder in str(item.path)), len(FIRST)))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden files anew; the diff is then read by a person."""
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew instead of comparing")
