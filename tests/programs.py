"""The programs that judge configurations (promtool, amtool and their like), as lab/bootstrap.sh unpacks them; ports."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparkfleet"


def program(name: str) -> str:
    """The program's path; the test fails, and does not skip, where there is none: untested alerts are no alerts."""
    found = shutil.which(name, path=os.pathsep.join([os.environ["PATH"], str(CACHE / "monitoring/usr/bin")]))
    if not found:
        pytest.fail(f"{name} is not on PATH; run lab/bootstrap.sh monitoring", pytrace=False)
    return found


def free_port() -> int:
    """A port of loopback that nobody had a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def alertmanager() -> list[str]:
    """The command that starts Alertmanager, with the unpacked /usr/share, where Debian's looks for its templates.

    In a mount namespace of its own: this machine's /usr/share stays as it is. Needs root.
    """
    path = program("prometheus-alertmanager")
    share = CACHE / "monitoring/usr/share"
    if not Path(path).is_relative_to(CACHE):
        return [path]
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"', str(share), path]
