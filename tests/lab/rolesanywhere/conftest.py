"""One simulated service a test, whose sessions open nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.rolesanywhere.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.lab.rolesanywhere.served import Anywhere


def grant(name: str, seconds: int) -> dict[str, str]:
    """Credentials that show who they are for."""
    ends = "2126-11-22T00:00:00Z"
    return {"accessKeyId": f"ASIA-{name}", "secretAccessKey": f"{seconds} s", "sessionToken": "t", "expiration": ends}


@pytest.fixture
def anywhere(tmp_path: Path) -> Iterator[Anywhere]:
    """It answers, and ends with the test."""
    served = serve(tmp_path, grant)
    yield served
    served.endpoint.stop()
