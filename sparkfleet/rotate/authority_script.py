"""Sent over SSH and run as root: step-ca's new configuration in the place of the old one, and step-ca started with it.

Standard library only. The configuration names the hosts that it knows, and holds public keys alone.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

CONFIGURATION = Path("/etc/sparkfleet/authority/ca.json")


def main(request: dict[str, Any]) -> None:
    """Print {"done": true}, or {"error"} with the old configuration in force."""
    new = CONFIGURATION.with_name(".ca.json.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(request["configuration"])
            file.flush()
            os.fsync(descriptor)
        new.replace(CONFIGURATION)
        words = ["systemctl", "try-restart", "sparkfleet-authority.service"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        answer: dict[str, Any] = {"error": done.stderr.strip()} if done.returncode else {"done": True}
    except OSError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))
