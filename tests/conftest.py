"""Options, settings and fixtures of every test."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.lab_fixtures import lab_instance, sparks

__all__ = ["lab_instance", "sparks"]  # fixtures: one lab a session, for all folders

# A machine that does other work besides must not turn a right answer into a failure for being slow.
SHARED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# `make test` tries the same examples each time: what it refuses is in the change, not in the draw. `make search` draws.
settings.register_profile("same", SHARED, derandomize=True)
settings.register_profile("search", SHARED, max_examples=2000)
settings.load_profile("same")

# Whose stand-ins a test file needs, the longest first: those tests wait most, so they begin before all others.
LABS = {
    "fleet": re.compile(r"tests/e2e/(?!test_lockdown)"),
    "closed": re.compile(r"tests/e2e/test_lockdown"),
    "label_lab": re.compile(r"tests/workloads/label/lab/"),
    "lab_instance": re.compile(r"tests/lab/|tests/sparkfleet/host/test_adopt(_again)?\.py"),
}


def lab_of(nodeid: str) -> str:
    """The fixture that boots the stand-ins of a test; empty for one that needs none."""
    return next((lab for lab, files in LABS.items() if files.match(nodeid)), "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits most."""
    places = [*LABS, ""]
    items.sort(key=lambda item: places.index(lab_of(item.nodeid)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of one lab with one worker, and those of one file.

    xdist's own `loadgroup` writes into a field that pytest 9.2 no longer has, and then groups nothing.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByLab(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return lab_of(nodeid) or nodeid.partition("::")[0]

    return ByLab(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden files anew; the diff is then read by a person."""
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew instead of comparing")
