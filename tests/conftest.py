"""Options, settings and fixtures of every test."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.lab_fixtures import lab_instance, sparks

__all__ = ["lab_instance", "sparks"]  # fixtures: one lab a session, for all folders

# A machine that does other work besides must not turn a right answer into a failure for being slow.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

# Whose stand-ins a test needs, the longest first: those tests wait most, so they begin before all others.
LABS = ("fleet", "closed", "lab_instance")


@pytest.hookimpl(tryfirst=True)  # before the workers note the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together when `make test` uses several workers: those of one lab, those of one file."""
    places = {item: lab_of(item) for item in items}
    for item, place in places.items():
        item.add_marker(pytest.mark.xdist_group(LABS[place] if place < len(LABS) else str(item.path)))
    items.sort(key=lambda item: places[item])


def lab_of(item: pytest.Item) -> int:
    """The place in LABS of the fixture that boots its stand-ins; behind all of them for a test that needs none."""
    if item.get_closest_marker("lab") is None:
        return len(LABS)
    found = (n for n, lab in enumerate(LABS) if lab in getattr(item, "fixturenames", ()))
    return next(found, LABS.index("lab_instance"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden files anew; the diff is then read by a person."""
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew instead of comparing")
