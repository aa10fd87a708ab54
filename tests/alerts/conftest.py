"""promtool, the judge of alert rules."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

TOOLS = Path("~/.cache/sparkfleet/tools").expanduser()


@pytest.fixture(scope="session")
def promtool() -> str:
    """The program's path; the test fails, and does not skip, where there is none: untested alerts are no alerts."""
    folders = [path.parent for path in sorted(TOOLS.rglob("promtool"))]
    found = shutil.which("promtool", path=os.pathsep.join([os.environ["PATH"], *map(str, folders)]))
    if not found:
        pytest.fail(
            f"promtool is neither on PATH nor below {TOOLS}; on Debian: apt-get install prometheus", pytrace=False
        )
    return found
