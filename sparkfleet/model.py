"""The fleet description, typed: what `config` reads and every other module works from.

Pure data. Every field has a unit in its name or a sentence; unknown keys are refused. What concerns two fields at
once is checked by `cross_checks`, so that all faults of a file show together.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from sparkfleet.access import Access, Tailnet
from sparkfleet.authority import Authority
from sparkfleet.clouds import Cloud
from sparkfleet.fitness import (
    Calypso,
    ConnectX,
    Containers,
    Datasets,
    Gpu,
    Jupyter,
    Label,
    Memory,
    Node,
    Ollama,
    Upgrade,
)
from sparkfleet.fitness.connectx import Ports
from sparkfleet.forms import (
    Address,
    ByteSize,
    Described,
    HostName,
    HostPath,
    PackageName,
    SysctlKey,
    SysctlValue,
    Timezone,
    UserName,
    day,
)
from sparkfleet.telemetry import Exporter, Monitor, Monitoring


class Role(StrEnum):
    """What a host is for. The same word names the Ansible role, its tag, its templates and its test folder."""

    BASE = "base"
    TAILNET = "tailnet"  # before access, which closes every other way in
    ACCESS = "access"
    AUTHORITY = "authority"  # before identity, which may ask it on the same host
    IDENTITY = "identity"
    CONNECTX = "connectx"
    GPU = "gpu"
    MEMORY = "memory"
    CONTAINERS = "containers"
    NODE = "node"  # the environment in which spark-node runs
    DATASETS = "datasets"
    LABEL = "label"
    JUPYTER = "jupyter"
    OLLAMA = "ollama"
    EXPORTER = "exporter"
    MONITOR = "monitor"
    GRAFANA = "grafana"


ALWAYS: tuple[Role, ...] = (Role.BASE, Role.ACCESS)


class Controller(Described):
    """Where the controller keeps what belongs to it. Relative paths are relative to the project."""

    folder: Path = Field(default=Path(".sparkfleet"), description="known_hosts, keys/, secrets/, rendered trees")
    user: UserName = Field(default="sparkfleet", description="the automation user that `spark adopt` makes on a host")
    connect_timeout_s: int = Field(default=10, ge=1, le=120, description="how long one address is tried")

    @property
    def known_hosts(self) -> Path:
        """The pinned host keys; written by `spark adopt` alone."""
        return self.folder / "known_hosts"

    @property
    def private_key(self) -> Path:
        """The automation user's key; made by `spark adopt`, mode 0600."""
        return self.folder / "keys" / "automation"

    @property
    def secrets(self) -> Path:
        """What must reach a host but never the state: object-store keys, one file an identity, mode 0600."""
        return self.folder / "secrets"

    @property
    def authority(self) -> Path:
        """The fleet's certificate authority: its keys and certificates, mode 0600."""
        return self.folder / "authority"

    def store_key(self, host: str) -> Path:
        """The host's object-store key, as JSON that answers a credential_process; mode 0600."""
        return self.secrets / "s3" / f"{host}.json"


class Host(Described):
    """One Spark."""

    addresses: list[Address] = Field(min_length=1, description="tried in order: tailnet first, LAN after it")
    roles: list[Role] = Field(default_factory=list, description="beside base and access, which every host has")
    port: int = Field(default=22, ge=1, le=65535, description="sshd's port")
    reset: bool = Field(default=False, description="when it leaves the description: as it was before the first apply")
    connectx: Ports = Field(default_factory=dict, description="with the role connectx: interface → address/prefix")
    procfs: HostPath = Field(default=Path("/proc"), description="its /proc; a stand-in replays one elsewhere")
    sysfs: HostPath = Field(default=Path("/sys"), description="its /sys; the same")
    kmsg: HostPath = Field(default=Path("/dev/kmsg"), description="its kernel log; the same")

    @property
    def all_roles(self) -> tuple[Role, ...]:
        """Every role of the host, in the order in which they are applied."""
        wanted = {*ALWAYS, *self.roles}
        return tuple(r for r in Role if r in wanted)


class Base(Described):
    """What every host gets."""

    timezone: Timezone = "Etc/UTC"
    packages: list[PackageName] = Field(default_factory=list, description="beside those that the roles need")
    journal_max_use: ByteSize = "2G"
    sysctls: dict[SysctlKey, SysctlValue] = Field(default_factory=dict)
    automatic_security_updates: bool = Field(
        default=True, description="security origins only; kernel, driver and firmware packages are never touched by it"
    )


class Waiver(Described):
    """A check of the compliance pack that may fail for a while: why, until when, and where."""

    reason: str = Field(min_length=10)
    until: Annotated[dt.date, BeforeValidator(day)] = Field(description="the first day on which the check counts again")
    hosts: list[HostName] = Field(default_factory=list, description="empty: every host")


class Fleet(Described):
    """The whole description."""

    fleet: HostName = Field(description="the fleet's name: it stands in metrics and bucket names")
    controller: Controller = Controller()
    hosts: dict[HostName, Host] = Field(min_length=1)
    base: Base = Base()
    access: Access = Access()
    tailnet: Tailnet = Tailnet()
    calypso: Calypso = Calypso()
    connectx: ConnectX = ConnectX()
    gpu: Gpu = Gpu()
    memory: Memory = Memory()
    containers: Containers = Containers()
    node: Node = Node()
    datasets: Datasets = Datasets()
    label: Label = Label()
    jupyter: Jupyter = Jupyter()
    ollama: Ollama = Ollama()
    upgrade: Upgrade = Upgrade()
    exporter: Exporter = Exporter()
    monitor: Monitor = Monitor()
    monitoring: Monitoring = Monitoring()
    cloud: Cloud = Cloud()
    authority: Authority = Authority()
    waivers: dict[str, Waiver] = Field(default_factory=dict, description="by the id of the check")

    def generation(self, host: str) -> int:
        """Which object-store key of the host is the wanted one; 1 unless raised."""
        return self.cloud.generations.get(host, 1)

    def bucket(self, purpose: str) -> str:
        """The name of the fleet's own bucket for datasets, models, artifacts, audit or logs; AWS's have a prefix."""
        aws = self.cloud.aws if self.cloud.provider == "aws" else None
        return f"{aws.bucket_prefix if aws else self.fleet}-{purpose}"

    def promoters(self) -> list[str]:
        """The hosts whose label loop writes into the fleet's own bucket for models."""
        return [] if self.label.models.bucket else self.with_role(Role.LABEL)

    def heirs(self) -> dict[str, str]:
        """Host → the one whose kept records of the label loop it may read."""
        return self.label.keep.heirs if self.label.keep else {}

    def with_role(self, role: Role) -> list[str]:
        """The names of the hosts that have the role, in the order of the description."""
        return [name for name, host in self.hosts.items() if role in host.all_roles]
