"""The monitor host's Prometheus and Alertmanager, which listen on its loopback → ports on this machine's loopback.

As their owner would reach them on a real fleet: through SSH, with the pinned host key and the automation key.
"""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

from lab import record
from lab.errors import LabError

if TYPE_CHECKING:
    from pathlib import Path

    from lab.instance import Instance

SERVICES = {"prometheus": 9090, "alertmanager": 9093}
LOCAL_OFFSET = 10000  # 9090 on the host is 19090 here, or the next free port
READY_WITHIN_S = 15.0
AUTOMATION_USER = "sparkfleet"


def up(instance: Instance, host: str, address: str) -> dict[str, str]:
    """Open what is not open to the host at `address`; returns service → URL."""
    label, known = f"tunnel-{host}", addresses(instance)
    if not (record.alive(instance, label) and known.exists()):
        ports = {service: free_port(port + LOCAL_OFFSET) for service, port in SERVICES.items()}
        record.start(instance, label, command(instance, host, address, ports), instance.folder / "run" / f"{label}.log")
        _wait(instance, label, list(ports.values()))
        known.write_text(json.dumps({service: f"http://127.0.0.1:{port}" for service, port in ports.items()}))
    found: dict[str, str] = json.loads(known.read_text())
    return found


def addresses(instance: Instance) -> Path:
    """Where the URLs are remembered."""
    return instance.folder / "run" / "tunnels.json"


def command(instance: Instance, host: str, address: str, ports: dict[str, int]) -> list[str]:
    """The words of ssh."""
    options = {
        "UserKnownHostsFile": str(instance.folder / "known_hosts"),
        "HostKeyAlias": host,  # adopt pins the key under the name, whatever address the host has
        "StrictHostKeyChecking": "yes",
        "IdentityFile": str(instance.folder / "keys" / "automation"),
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "ExitOnForwardFailure": "yes",
        "ServerAliveInterval": "15",
    }
    words = ["ssh", "-N", "-F", "/dev/null"]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    for service, port in ports.items():
        words += ["-L", f"127.0.0.1:{port}:127.0.0.1:{SERVICES[service]}"]
    return [*words, f"{AUTOMATION_USER}@{address}"]


def free_port(first: int) -> int:
    """The first port from `first` on that nobody listens on."""
    for port in range(first, first + 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise LabError(f"no free port from {first} on")


def _wait(instance: Instance, label: str, ports: list[int]) -> None:
    until = time.monotonic() + READY_WITHIN_S
    waiting = list(ports)
    while waiting and time.monotonic() < until and record.alive(instance, label):
        try:
            socket.create_connection(("127.0.0.1", waiting[0]), 1).close()
            waiting.pop(0)
        except OSError:
            time.sleep(0.05)
    if waiting:
        raise LabError("the SSH tunnel does not open", next_step=f"see {instance.folder / 'run' / label}.log")
