"""The fleet description, typed: what `config` reads and every other module works from.

Pure data. Every field has a unit in its name or a sentence; unknown keys are refused. What concerns two fields at
once is checked by `config`, so that all faults of a file show together.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

# Each must match the whole value: `$` would let a line break through, into files that have one setting a line.
HOST_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
PUBLIC_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?")
SECRET_REFERENCE = re.compile(r"(file|env):.+")
DNS_NAME = re.compile(r"(?![0-9.]+$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
TIMEZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
SYSCTL_KEY = re.compile(r"[a-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
NOT_A_REFERENCE = "not_a_reference"


def _matches(pattern: re.Pattern[str], expected: str) -> AfterValidator:
    """A validator whose message names what was expected, not the pattern."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            message = f"expected {expected}"
            raise ValueError(message)
        return value

    return AfterValidator(check)


def _address(value: str) -> str:
    """An IP address or a DNS name; what SSH can be given."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not DNS_NAME.fullmatch(value):
            message = "expected an IP address or a DNS name"
            raise ValueError(message) from None
    return value


def _reference(value: Any) -> Any:
    """Refuse, with an error of a kind of its own, what may be the secret itself: `config` does not show it."""
    if not isinstance(value, str) or not SECRET_REFERENCE.fullmatch(value):
        raise PydanticCustomError(NOT_A_REFERENCE, 'expected "file:PATH" or "env:NAME", never the secret itself')
    return value


def _day(value: Any) -> Any:
    """Pulumi's engine hands a YAML date over as Go prints times: `2027-01-31 00:00:00 +0000 UTC`."""
    return value.removesuffix(" 00:00:00 +0000 UTC") if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(_address)]
Duration = Annotated[
    str, _matches(re.compile(r"[1-9][0-9]*(ms|s|m|h|d|w|y)"), 'a Prometheus duration such as "15s" or "30d"')
]
HostName = Annotated[str, _matches(HOST_NAME, "lower-case letters, digits and hyphens, at most 32")]
UserName = Annotated[str, _matches(USER_NAME, "a POSIX user name")]
PublicKey = Annotated[str, _matches(PUBLIC_KEY, 'a public key line such as "ssh-ed25519 AAAA… name"')]
SecretReference = Annotated[str, BeforeValidator(_reference)]
ByteSize = Annotated[str, _matches(re.compile(r"[1-9][0-9]*[KMGT]"), 'a systemd size such as "500M"')]
PackageName = Annotated[str, _matches(PACKAGE_NAME, "the name of a Debian package")]
Timezone = Annotated[str, _matches(TIMEZONE, 'a time zone such as "Europe/Berlin"')]
SysctlKey = Annotated[str, _matches(SYSCTL_KEY, 'a kernel setting such as "net.core.somaxconn"')]
# As the probe reads it back: words with one space between them.
SysctlValue = Annotated[str, _matches(re.compile(r"\S+( \S+)*"), "words with single spaces between them")]


class Described(BaseModel):
    """A part of the description: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Role(StrEnum):
    """What a host is for. The same word names the Ansible role, its tag, its templates and its test folder."""

    BASE = "base"
    ACCESS = "access"
    EXPORTER = "exporter"
    MONITOR = "monitor"


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

    def store_key(self, host: str) -> Path:
        """The host's object-store key, as JSON that answers a credential_process; mode 0600."""
        return self.secrets / "s3" / f"{host}.json"


class Host(Described):
    """One Spark."""

    addresses: list[Address] = Field(min_length=1, description="tried in order: tailnet first, LAN after it")
    roles: list[Role] = Field(default_factory=list, description="beside base and access, which every host has")
    port: int = Field(default=22, ge=1, le=65535, description="sshd's port")
    sysfs: Path = Field(default=Path("/sys"), description="its /sys; a stand-in replays one elsewhere")

    @property
    def all_roles(self) -> tuple[Role, ...]:
        """Every role of the host, in the order in which they are applied."""
        wanted = {*ALWAYS, *self.roles}
        return tuple(r for r in Role if r in wanted)


class User(Described):
    """A person who logs in: the authorized keys are an exact set."""

    authorized_keys: list[PublicKey] = Field(default_factory=list)
    sudo: bool = Field(default=False, description="member of the group sudo")


class Access(Described):
    """Who may log in, and how sshd is set."""

    users: dict[UserName, User] = Field(default_factory=dict)
    max_auth_tries: int = Field(default=4, ge=2, le=10)
    tcp_forwarding: Literal["no", "local", "yes"] = Field(
        default="local", description="local: the DGX Dashboard and JupyterLab are reached through ssh -L"
    )


class Base(Described):
    """What every host gets."""

    timezone: Timezone = "Etc/UTC"
    packages: list[PackageName] = Field(default_factory=list, description="beside those that the roles need")
    journal_max_use: ByteSize = "2G"
    sysctls: dict[SysctlKey, SysctlValue] = Field(default_factory=dict)
    driver_branch: str = Field(default="580", description="checked, never changed: DGX OS supports one branch")
    automatic_security_updates: bool = Field(
        default=True, description="security origins only; kernel, driver and firmware packages are never touched by it"
    )


class Exporter(Described):
    """The GB10 exporter."""

    port: int = Field(default=9810, ge=1024, le=65535)
    interval_s: float = Field(default=1.0, ge=0.1, le=60, description="how often NVML is sampled")


class Monitor(Described):
    """Prometheus and Alertmanager on the host that has the role monitor; both listen on loopback."""

    retention: Duration = "30d"
    scrape_interval: Duration = "15s"
    webhook: str = Field(default="", description="where Alertmanager sends alerts; empty: nowhere yet")


class Onprem(Described):
    """Any S3-compatible store with an IAM-style API."""

    endpoint: str = Field(pattern=r"^https?://", description="the S3 API")
    iam_endpoint: str = Field(pattern=r"^https?://", description="the IAM API")
    region: str = "us-east-1"
    admin: SecretReference = Field(description='JSON {"access_key_id", "secret_access_key"} of the administrator')


class Aws(Described):
    """The AWS account; credentials come from the environment, as Pulumi expects them."""

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")
    bucket_prefix: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{2,30}$", description="bucket names are global")
    trust_bundle: Path | None = Field(
        default=None, description="PEM of the authority behind the hosts' certificates; without it they get no role"
    )


class Cloud(Described):
    """The object store beside the fleet: on AWS, on the premises, or none."""

    provider: Literal["aws", "onprem", "none"] = "none"
    onprem: Onprem | None = None
    aws: Aws | None = None
    generations: dict[HostName, int] = Field(
        default_factory=dict, description="raise a host's number to give it a new object-store key (default 1)"
    )


class Waiver(Described):
    """A check of the compliance pack that may fail for a while: why, until when, and where."""

    reason: str = Field(min_length=10)
    until: Annotated[dt.date, BeforeValidator(_day)] = Field(
        description="the first day on which the check counts again"
    )
    hosts: list[HostName] = Field(default_factory=list, description="empty: every host")


class Fleet(Described):
    """The whole description."""

    fleet: HostName = Field(description="the fleet's name: it stands in metrics and bucket names")
    controller: Controller = Controller()
    hosts: dict[HostName, Host] = Field(min_length=1)
    base: Base = Base()
    access: Access = Access()
    exporter: Exporter = Exporter()
    monitor: Monitor = Monitor()
    cloud: Cloud = Cloud()
    waivers: dict[str, Waiver] = Field(default_factory=dict, description="by the id of the check")

    def generation(self, host: str) -> int:
        """Which object-store key of the host is the wanted one; 1 unless raised."""
        return self.cloud.generations.get(host, 1)

    def with_role(self, role: Role) -> list[str]:
        """The names of the hosts that have the role, in the order of the description."""
        return [name for name, host in self.hosts.items() if role in host.all_roles]
