"""The programs that judge configurations (promtool, amtool and their like), as lab/bootstrap.sh unpacks them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparkfleet"


def program(name: str) -> str:
    """The program's path; the test fails, and does not skip, where there is none: untested alerts are no alerts."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], str(CACHE / "monitoring/usr/bin")]))
    if not found:
        pytest.fail(f"{name} is not on PATH; run lab/bootstrap.sh monitoring", pytrace=False)
    return found
