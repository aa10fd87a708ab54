"""The part of the description that is about watching, typed: exporter, monitor, who pages, AMP, Grafana.

Pure data, as in `model`. What concerns two fields at once is checked by `cross_checks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import AwsRegion, Described, Duration, SecretReference, Url, matching

GRAFANA_REPOSITORY = "https://apt.grafana.com"
# Public. Rotated on 2023-08-24 (voxpupuli/puppet-grafana#336).
GRAFANA_KEY_FINGERPRINT = "B53AE77BADB630A683046005963FA27710458545"

AwsProfile = Annotated[str, matching(r"[A-Za-z0-9_.-]*", 'the name of a profile of the AWS config file, or ""')]
Fingerprint = Annotated[str, matching(r"[0-9A-F]{40}", "40 hex digits in capitals, without spaces")]
RoleArn = Annotated[str, matching(r"(arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+)?", 'the ARN of an IAM role, or ""')]
Topic = Annotated[
    str, matching(r"(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]+)?", 'the ARN of a standard SNS topic, or ""')
]
Workspace = Annotated[str, matching(r"ws-[0-9a-f-]{36}", "the id of an AMP workspace: ws- and a UUID")]


class Exporter(Described):
    """The GB10 exporter."""

    port: int = Field(default=9810, ge=1024, le=65535)
    interval_s: float = Field(default=1.0, ge=0.1, le=60, description="how often NVML is sampled")


class Monitor(Described):
    """Prometheus and Alertmanager on the host that has the role monitor; both listen on loopback."""

    retention: Duration = Field(default="30d", description="how long samples are kept, if the space suffices")
    storage_share: float = Field(
        default=0.1, ge=0.005, le=0.5, description="of its file system, how much Prometheus may fill"
    )
    scrape_interval: Duration = "15s"


class Receiver(Described):
    """Where one kind of alert goes."""

    webhook: Url = Field(
        default="", description="Alertmanager posts there; empty: nowhere. Not a place for a secret: it is in the state"
    )


class Receivers(Described):
    """Who is told, by what the alert asks for."""

    page: Receiver = Field(default=Receiver(), description="somebody must look now")
    ticket: Receiver = Field(default=Receiver(), description="somebody must look this week")
    remediation: Receiver = Field(default=Receiver(), description="pages and tickets too, for a machine that acts")
    deadman: Receiver = Field(
        default=Receiver(), description="a beat every one to two minutes; whoever gets it pages when it stops"
    )


class Amp(Described):
    """A workspace of Amazon Managed Service for Prometheus, to which each monitor's samples go as well."""

    region: AwsRegion
    workspace_id: Workspace
    remote_write_url: Url = Field(default="", description="instead of the workspace's public address: a VPC endpoint")
    profile: AwsProfile = Field(
        default="",
        description="in ~prometheus/.aws/config on the monitor; empty: the host's own sessions, or the default",
    )
    role_arn: RoleArn = Field(default="", description="a role to assume for writing; empty: none")
    topic_arn: Topic = Field(default="", description="AMP's Alertmanager speaks to SNS alone; needed when amp pages")

    @property
    def write_url(self) -> str:
        """Where samples are sent."""
        workspace = f"https://aps-workspaces.{self.region}.amazonaws.com/workspaces/{self.workspace_id}"
        return self.remote_write_url or f"{workspace}/api/v1/remote_write"


class Grafana(Described):
    """Dashboards: none, installed on the monitor host, or pushed to a Grafana that is there already."""

    mode: Literal["none", "install", "push"] = "none"
    url: Url = Field(default="", description="push: its address. install: the address people use, for links in alerts")
    token: SecretReference | None = Field(default=None, description="push: a service account's token, role Editor")
    admin_password: SecretReference | None = Field(default=None, description="install: of the user admin")
    datasource_url: Url = Field(default="", description="push: Prometheus or AMP as that Grafana reaches it")
    folder: str = Field(default="Sparks", min_length=1, max_length=60, description="of the dashboards")
    port: int = Field(default=3000, ge=1024, le=65535, description="install: on loopback")
    repository: Url = Field(default=GRAFANA_REPOSITORY, description="install: the package repository, or a mirror")
    key: Path | None = Field(default=None, description="install: the repository's key in PEM; null: fetched from it")
    key_fingerprint: Fingerprint = Field(default=GRAFANA_KEY_FINGERPRINT, description="what a fetched key must have")


class Monitoring(Described):
    """Who evaluates the alerts, who is told, and where else samples and dashboards go."""

    alerts: Literal["prometheus", "grafana", "amp"] = Field(
        default="prometheus", description="the one evaluator that pages; the same rules are rendered for it"
    )
    runbooks: Url = Field(default="", description="goes before docs/guides/alerts/<Alert>.md in each alert")
    receivers: Receivers = Receivers()
    amp: Amp | None = None
    grafana: Grafana = Grafana()
