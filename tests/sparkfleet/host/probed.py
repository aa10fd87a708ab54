"""The real probe, run as a process by the system's Python as on a host, in a folder that stands for one.

What it reads at fixed places on a host is pointed into that folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkfleet.host.observe import PLACEHOLDER, PROBE

if TYPE_CHECKING:
    from pathlib import Path

PLACES = {
    "/var/lib/sparkfleet/marker.json": "marker.json",
    "/etc/sysctl.d/60-sparkfleet.conf": "sysctl.conf",
    "/run/systemd/container": "container",  # there is one in a container alone
}


@dataclass
class Probed:
    """A folder that stands for a host, and the probe's answer about it."""

    folder: Path
    marker: dict[str, Any] = field(default_factory=dict)
    programs: str = os.environ["PATH"]

    def path(self, name: str, text: str = "", mode: int = 0o644) -> str:
        """Make a file; its path."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return str(file)

    def answer(self, *keys: str, sysfs: str = "/nowhere", procfs: str = "/nowhere", **wanted: str) -> dict[str, Any]:
        """Run the script as `observe` sends it: on stdin, isolated."""
        (self.folder / "marker.json").write_text(json.dumps(self.marker))
        settings = {**dict.fromkeys(keys, "wanted"), **wanted}
        request = json.dumps({"settings": settings, "sysfs": sysfs, "procfs": procfs})
        script = PROBE.read_text().replace(PLACEHOLDER, f"REQUEST = json.loads({request!r})", 1)
        for place, name in PLACES.items():
            script = script.replace(place, str(self.folder / name))
        done = subprocess.run(
            [sys.executable, "-IS", "-"],
            input=script,
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": self.programs},
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def settings(self, *keys: str, **wanted: str) -> dict[str, str]:
        """What it says of these settings."""
        found: dict[str, str] = self.answer(*keys, **wanted)["settings"]
        return found

    def program(self, name: str, script: str) -> None:
        """Put a program of this name before the system's own."""
        self.path(f"bin/{name}", f"#!/bin/sh\n{script}\n", 0o755)
        self.programs = f"{self.folder / 'bin'}:{os.environ['PATH']}"
