"""label.json → this machine's part of Ray, in the foreground: the head where the address is its own, else a member.

    /opt/sparkfleet/ray/bin/python -P -m workloads.label.spreading.machine [FOLDER]

Ray starts one process of ours a machine, and that starts the stage, which knows its cores, its memory and its GPU by
itself. So Ray is told of one CPU: with its own default it would start a worker for each of a Spark's 20.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from workloads.errors import ConfigError
from workloads.label import flow
from workloads.label import site as sites

if TYPE_CHECKING:
    from workloads.label.site import Ray

# Ray's sessions: sockets, its own logs, and what does not fit into its store. Ray opens it to everybody (0777); the
# folder above is the unit's, and closed.
FOLDER = Path("/var/lib/sparkfleet/ray/run")
PORTS = 30  # from the head's port on; the firewall opens them to the other machines
FIXED = (
    "node-manager-port", "object-manager-port", "runtime-env-agent-port", "dashboard-agent-grpc-port",
    "dashboard-agent-listen-port", "metrics-export-port",
)  # fmt: skip
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray kills its largest worker when the machine's memory is nearly full. On unified memory that counts what the GPU
    # and the page cache have, and the largest worker is ours: all that this machine holds. Workers have limits of
    # their own, and the memory guard watches the machine.
    "RAY_memory_monitor_refresh_ms": "0",
}


def words(site: Ray, folder: Path) -> list[str]:
    """The command for `ray`; every port is a known one, so that the firewall can name them. Pure."""
    host, _, port = site.address.rpartition(":")
    first = int(port)
    head = ["--head", f"--port={first}", "--include-dashboard=false", f"--temp-dir={folder}"]
    return [
        "start", "--block", f"--node-ip-address={site.own_address}",
        *(head if host == site.own_address else [f"--address={site.address}"]),
        *(f"--{name}={number}" for number, name in enumerate(FIXED, first + 1)),
        f"--min-worker-port={first + 1 + len(FIXED)}", f"--max-worker-port={first + PORTS - 1}",
        "--num-cpus=1", f"--object-store-memory={site.store_mib << 20}", f"--object-spilling-directory={folder}",
        "--include-log-monitor=false", "--disable-usage-stats",
    ]  # fmt: skip


def environment(site: Ray) -> dict[str, str]:
    """For `ray`, and for the hand that it starts: our own code, the token's file, and nothing told to anybody."""
    return {
        **os.environ, **SETTINGS, "PYTHONPATH": str(flow.PACKAGE),
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(site.token_file),
    }  # fmt: skip


def main() -> None:
    """Become `ray`. Raises ConfigError where the site shares nothing."""
    site = sites.load().ray
    if site is None:
        raise ConfigError(
            "label.json names no ray", next_step="describe label.ray and run `pulumi up`: it works alone until then."
        )
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", *words(site, folder)]
    os.execve(sys.executable, command, environment(site))  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    main()
