"""What a role wants of a host beside its templates: the words for it, and a module for each role of fitness.

Each of those holds one function, named as the role: Fleet, host name → Parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RUNNING = "enabled,active"
ENABLED = "enabled"  # started by something else, or not in containers


@dataclass(frozen=True)
class Zipapp:
    """A package of the project that hosts run as one file, and what goes into it too: libraries, packages of ours."""

    package: str
    libraries: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


EXPORTER_PATH = "/usr/local/lib/sparkfleet/gb10-exporter.pyz"
GB10_EXPORTER = Zipapp("exporters.gb10", ("prometheus_client", "pynvml"), ("exporters.web",))
ROI_EXPORTER = Zipapp("exporters.roi", ("prometheus_client",), ("exporters.web",))
SPARK_NODE = Zipapp("workloads")
MEMGUARD = Zipapp("workloads.memguard")
ZIPAPPS = (GB10_EXPORTER, ROI_EXPORTER, SPARK_NODE, MEMGUARD)  # all of them, so that they are read once
ENVIRONMENT, JOBS = "sparkfleet/host/environment.py", "sparkfleet/host/jobs.py"  # programs of hosts
UNPACK = {"/usr/local/lib/sparkfleet/unpack.py": "sparkfleet/host/unpack.py"}  # of roles that fetch a release


LOCKS = {name: f"requirements/{name}.txt" for name in ("node", "jupyter", "label", "ray")}  # by environment


HIDDEN = ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/gshadow-", "/etc/ssh", "/var/lib/tailscale",
          "/var/lib/sparkfleet/before", "/var/lib/sparkfleet/removed")  # fmt: skip
"""Places whose secrets a service that runs as root has no business with, beside the secrets that we bring."""


def lock(environment: str) -> str:
    """Where a host keeps the hashed lock of one of its Python environments."""
    return f"/etc/sparkfleet/environments/{environment}.txt"


@dataclass(frozen=True)
class Secret:
    """A secret file of a host: where the controller finds it, and under which name its version is known."""

    reference: str
    name: str


@dataclass(frozen=True)
class Parts:
    """What a role wants. `exact`: directories in which nothing else may lie; `raw`: project files, copied.

    `environments`: Python environments that the role builds, each from the lock that it ships (`lock`).
    """

    packages: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    sysctls: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    exact: tuple[str, ...] = ()
    raw: dict[str, str] = field(default_factory=dict)
    zipapps: dict[str, Zipapp] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    tailnet: dict[str, str] = field(default_factory=dict)
    identity: dict[str, str] = field(default_factory=dict)
    merged: dict[str, dict[str, Any]] = field(default_factory=dict)  # JSON file that is not ours → pointer → value
    validators: dict[str, str] = field(default_factory=dict)  # commands that must accept such a file (%s) first
    environments: tuple[str, ...] = ()

    @property
    def copied(self) -> dict[str, str]:
        """Path on the host → project file: what is `raw`, and the locks of the environments."""
        return {**self.raw, **{lock(name): LOCKS[name] for name in self.environments}}
