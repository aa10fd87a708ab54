"""promtool, the judge of alert rules."""

from __future__ import annotations

import pytest

from tests.programs import program


@pytest.fixture(scope="session")
def promtool() -> str:
    """The program's path; the test fails, and does not skip, where there is none."""
    return program("promtool")
