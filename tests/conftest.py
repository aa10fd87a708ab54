"""Options that every test may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden files anew; the diff is then read by a person."""
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew instead of comparing")
