"""The SSH connections that this user keeps open to a host (ControlMaster) → closed: they outlive the key they used.

Ours are never multiplexed, and Ansible's live in the folder of their run and end with it. What is left is what the
user's own ssh configuration keeps.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkfleet.host.connection import Target

ANSWER_S = 10


def close(target: Target) -> list[str]:
    """End the master connections for the host's name and addresses; returns their sockets. Never raises."""
    ended = []
    for place in dict.fromkeys((target.name, *target.addresses)):
        words = ["-p", str(target.port), "-l", target.user, place]
        socket = _socket(words)
        if socket and socket.is_socket() and _ssh("-S", str(socket), "-O", "exit", *words) is not None:
            ended.append(str(socket))
    return ended


def _socket(words: list[str]) -> Path | None:
    """Where ssh would keep the master for this host; None when it keeps none."""
    said = _ssh("-G", *words) or ""
    found = [line.split(" ", 1)[1] for line in said.splitlines() if line.startswith("controlpath ")]
    return Path(found[0]).expanduser() if found and found[0] != "none" else None


def _ssh(*words: str) -> str | None:
    program = shutil.which("ssh")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
