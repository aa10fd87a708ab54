"""A caller's request → its own files let go of, the unit started for the rest, one report of both.

Nothing here needs a privilege: whoever can read a file may let its pages go, and the unit is started by systemd where
polkit (or sudo) allows it. The unit is told a need, never a path: root opens no file that a caller names.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

from workloads.memguard.room import OF_CALLER, Guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workloads.memguard.config import Config
    from workloads.memguard.request import Request

UNIT = "spark-memguard@{}.service"
DENIED = ("password is required", "not allowed", "authentication required", "access denied")  # in LC_ALL=C
UNIT_S = 300.0  # the unit's own limit is shorter


class ClientError(Exception):
    """The unit could not be asked; `code` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def ask(config: Config, request: Request, files: Sequence[str]) -> dict[str, Any]:
    """The report; raises ClientError, UnreadableError."""
    own = Guard(config, request, OF_CALLER if files else (), files).run()
    asked_s = time.monotonic()
    said = start(config, request)
    report = told(config, request, asked_s)
    if report is None:
        raise ClientError(*refused(said, request))
    report["steps"] = [*own.as_dict()["steps"], *report["steps"]]
    report["before"] = own.before
    if report["verdict"] == "enough" and report["steps"]:
        report["verdict"] = "made room"
    return report


def start(config: Config, request: Request) -> str:
    """Start the unit and wait for its end; what systemctl said."""
    words = ["systemctl", "--no-ask-password", "start", UNIT.format(request.instance)]
    if config.sudo and os.geteuid():
        words = ["sudo", "-n", "/usr/bin/systemctl", *words[2:]]
    plain = {**os.environ, "LC_ALL": "C"}  # `refused` reads what it says
    try:
        done = subprocess.run(
            words, env=plain, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UNIT_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ClientError(f"{UNIT.format(request.instance)} could not be started: {error}", 1) from None
    return done.stderr.strip()


def told(config: Config, request: Request, since_s: float) -> dict[str, Any] | None:
    """The report that the unit wrote, if it ended after `since_s`: an older one is of another time."""
    try:
        report = json.loads((config.run / f"{request.instance}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) and report.get("ended_s", 0.0) >= since_s else None


def refused(said: str, request: Request) -> tuple[str, int]:
    """What systemctl said, as a message and an exit code."""
    unit = UNIT.format(request.instance)
    if any(words in said.lower() for words in DENIED):
        return f"you may not start {unit}: name yourself in memory.callers; -force is for administrators", 7
    return f"{unit} left no report; look at `journalctl -u {unit}`: {said or 'systemd says it went well'}", 1
