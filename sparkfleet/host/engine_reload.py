"""Engine settings newer than the engine → it reads them: by a restart or, while containers run, as far as it can.

Runs ON the host as root, after an apply. Standard library only, Python 3.10 or newer. No container is ever ended: what
the engine reads only at its start waits for its next one, and `spark verify` says so until then (CONTAINERS-03).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

UNIT = "docker.service"
ANSWER_S = 120


def main() -> int:
    """Look, decide, do it."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--settings", type=Path, default=Path("/etc/docker/daemon.json"))
    given = flags.parse_args()
    shown = said("systemctl", "show", "--timestamp=unix", "--property=ActiveState,ActiveEnterTimestamp", UNIT)
    started = start_of(shown)
    if started is None or not given.settings.exists() or given.settings.stat().st_mtime < started:
        return 0
    running = len(said("docker", "ps", "--quiet").split())
    verb, words = step(running)
    said("systemctl", verb, UNIT)
    print(words)
    return 0


def start_of(shown: str) -> float | None:
    """What systemd shows of the unit → since when it is active, in seconds since 1970; None when it is not."""
    row = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    stamp = row.get("ActiveEnterTimestamp", "").removeprefix("@")
    return float(stamp) if row.get("ActiveState") == "active" and stamp else None


def step(running: int) -> tuple[str, str]:
    """The verb for systemctl, and what to tell, for an engine with so many containers."""
    if not running:
        return "restart", "the engine was restarted with its new settings; it had no containers"
    return "reload", (
        f"the engine keeps {running} container(s) running: settings that it reads only at its start wait for "
        f"`systemctl restart {UNIT}`"
    )


def said(*words: str) -> str:
    """What a command prints; its failure ends the program with its words."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
