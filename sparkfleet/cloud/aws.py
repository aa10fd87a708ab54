"""Fleet → its part of an AWS account: buckets, keys, roles without keys, who watches and who is told, what it may cost.

Mocked: tested without a live account, by recording what is registered (tests/sparkfleet/cloud/test_aws.py).
Hosts hold no AWS key. They present a certificate to IAM Roles Anywhere and get a session of at most an hour whose
prefix is the certificate's common name. Without an authority there are buckets and no role: a role that no trust anchor
narrows down must not exist.

State: `sparkfleet:cloud:Account` and the names given below are part of the stack's state; changing one replaces the
resource unless an alias is added. The parts, in `sparkfleet.cloud.account`, say so of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from sparkfleet.cloud import policies
from sparkfleet.cloud.account import permissions
from sparkfleet.cloud.account.alarms import Alarms
from sparkfleet.cloud.account.buckets import Lock, ProtectedBucket
from sparkfleet.cloud.account.data_events import DataEvents
from sparkfleet.cloud.account.keys import key
from sparkfleet.cloud.account.lifecycle import rules as lifecycle
from sparkfleet.cloud.account.permissions import Owner
from sparkfleet.cloud.account.roles import CalypsoRole, HostRole, boundary
from sparkfleet.cloud.account.spending import Spending
from sparkfleet.cloud.account.telling import Topic
from sparkfleet.cloud.account.workspace import Alerts, Workspace
from sparkfleet.cloud.gate import Gate
from sparkfleet.cloud.heirs import with_heirs
from sparkfleet.errors import ConfigError
from sparkfleet.model import Role
from sparkfleet.monitoring.amp import rule_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sparkfleet.clouds import Aws
    from sparkfleet.model import Fleet

T = TypeVar("T")

DATA = ("datasets", "models", "artifacts")
"""The buckets in which roles of the fleet may do something."""


class Account(pulumi.ComponentResource):
    """The fleet's part of an AWS account."""

    buckets: dict[str, aws.s3.Bucket]
    """datasets, models, artifacts, audit and logs."""

    hosts: HostRole | None = None
    """Trust anchor, role and profile of the hosts; none without an authority."""

    calypso: CalypsoRole | None = None

    identities: dict[str, pulumi.Resource]
    """Host name → what must exist before the host can get a session."""

    controller_policy: Output[str]
    """What the controller's own credentials need beside what made all this: to add audit records and list them."""

    told: dict[str, Output[str]]
    """What people write into the description afterwards: the workspace's id and address, the topics' ARNs."""

    def __init__(
        self,
        fleet: Fleet,
        where: Aws,
        rules: Iterable[str],
        opts: ResourceOptions | None = None,
        *,
        authority_pem: Output[str] | None = None,
    ) -> None:
        """Register everything under one component named after the fleet; nothing of it, if a check finds a fault.

        `rules`: the texts of all rule files. `authority_pem`: the certificate of the fleet's own authority; the
        description's `trust_bundle` goes before it. Raises ConfigError when the bundle cannot be read.
        """
        judged = ResourceOptions.merge(opts, ResourceOptions(transformations=[Gate()]))
        super().__init__("sparkfleet:cloud:Account", fleet.fleet, None, judged)
        certificate = _certificate(where.trust_bundle) if where.trust_bundle else authority_pem
        tags = {**fleet.cloud.tags, "project": "sparkfleet", "fleet": fleet.fleet}
        provider = aws.Provider(
            "aws", region=where.region, default_tags={"tags": tags}, opts=ResourceOptions(parent=self)
        )
        self._fleet, self._where, self.identities = fleet, where, {}
        self._child = ResourceOptions(parent=self, providers={"aws": provider})
        self._own = ResourceOptions(parent=self, provider=provider)
        asked = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=provider, parent=self))
        self._owner = asked.arn.apply(lambda arn: Owner.of(arn, where.region))
        self._keep()
        self._watch(rules)
        if certificate:
            self._let_in(certificate)
        else:
            pulumi.log.warn("no authority: the hosts get no role in this account (cloud.aws.trust_bundle)", self)
        self.register_outputs({purpose: bucket.bucket for purpose, bucket in self.buckets.items()})

    def _keep(self) -> None:
        """The keys and the buckets."""
        name, cloud, where = self._fleet.fleet, self._fleet.cloud, self._where
        data = self._policy(lambda owner: policies.key_administration(owner.root))
        self._data_key = key("data", f"sparkfleet-{name}", f"sparkfleet {name}: datasets and models", data, self._own)
        watch = self._policy(lambda owner: permissions.watch_key(owner, name))
        described = f"sparkfleet {name}: topics, logs, samples"
        self._watch_key = key("watch", f"sparkfleet-{name}-watch", described, watch, self._own)

        names = {purpose: self._fleet.bucket(purpose) for purpose in (*DATA, "audit", "logs")}
        sources = [names[purpose] for purpose in (*DATA, "audit")]
        self._logs = ProtectedBucket(
            "logs",
            names["logs"],
            lambda arn: _document(
                Output.all(self._owner, arn),
                lambda known: permissions.log_bucket(known[0], known[1], name, map(known[0].bucket, sources)),
            ),
            self._child,
            rules=lifecycle("logs", where.log_retention_days),
        )
        locks = {"models": Lock("GOVERNANCE", cloud.models_locked_days)} if cloud.models_locked_days else {}
        kept = {
            purpose: ProtectedBucket(
                purpose,
                names[purpose],
                lambda arn: _document(
                    Output.all(arn, self._data_key.arn), lambda arns: policies.protected_bucket(*arns)
                ),
                self._child,
                key_arn=self._data_key.arn,
                rules=lifecycle(purpose, where.log_retention_days),
                lock=locks.get(purpose),
                logs=self._logs,
            )
            for purpose in DATA
        }
        # S3's own key: only then a list shows each object's MD5, by which `spark audit --verify` compares it.
        kept["audit"] = ProtectedBucket(
            "audit",
            names["audit"],
            lambda arn: _document(arn, lambda it: policies.audit_bucket(it, tls=True, conditional=True)),
            self._child,
            rules=lifecycle("audit", where.log_retention_days),
            lock=Lock("COMPLIANCE", cloud.audit_retention_days, from_birth=True),
            logs=self._logs,
            inventory=False,  # `spark audit --verify` lists it, and compares
        )
        self.buckets = {purpose: each.bucket for purpose, each in kept.items()} | {"logs": self._logs.bucket}
        if where.data_events:
            DataEvents(name, kept.values(), self._logs, self._watch_key, self._child)
        self.controller_policy = _document(
            self.buckets["audit"].arn, lambda arn: policies.controller_access(arn, stamps=False)
        )

    def _watch(self, rules: Iterable[str]) -> None:
        """Who is told, the workspace, its alerts, and what all this may cost."""
        name, where, monitoring = self._fleet.fleet, self._where, self._fleet.monitoring
        self._alarms = Topic("alarms", name, self._owner, self._watch_key, where.alarm_mail, self._child)
        self.told = {"alarms_topic_arn": self._alarms.topic.arn}
        self._workspaces: list[pulumi.Input[str]] = []
        if where.workspace:
            made = Workspace(name, self._watch_key, where.log_retention_days, self._child).workspace
            alerts = Topic(
                "alerts", name, self._owner, self._watch_key, where.alarm_mail, self._child, from_alertmanager=True
            )
            self._workspaces.append(made.arn)
            self.told |= {
                "workspace_id": made.id,
                "remote_write_url": Output.concat(made.prometheus_endpoint, "api/v1/remote_write"),
                "alerts_topic_arn": alerts.topic.arn,
            }
        if amp := monitoring.amp:
            self._workspaces.append(
                self._owner.apply(lambda owner: owner.arn("aps", f"workspace/{amp.workspace_id}", amp.region))
            )
            if monitoring.alerts == "amp":
                Alerts(name, amp, rule_namespace(rules, monitoring.runbooks), self._child)
        if where.budget_usd or where.cost_anomaly_usd:
            Spending(name, where, self._child)

    def _let_in(self, certificate: pulumi.Input[str]) -> None:
        """The roles of those who present a certificate, and the alarms about that."""
        fleet, region = self._fleet, self._where.region
        known = Output.all(
            datasets=self.buckets["datasets"].arn,
            models=self.buckets["models"].arn,
            artifacts=self.buckets["artifacts"].arn,
            key=self._data_key.arn,
            workspaces=Output.all(*self._workspaces),
        )
        ceiling = boundary(
            fleet.fleet,
            _document(
                known,
                lambda it: permissions.ceiling([it[p] for p in DATA], it["key"], it["workspaces"], region),
            ),
            self._own,
        )
        access = _document(known, lambda it: _access(it, region, fleet))
        self.hosts = HostRole(fleet.fleet, fleet.hosts, certificate, access, ceiling.arn, self._child)
        self.identities = dict.fromkeys(fleet.hosts, self.hosts.profile)
        Alarms(fleet, self.hosts.anchor, self._alarms.topic, self._child)
        if fleet.cloud.calypso:
            served = _document(known, lambda it: _served(it, region, fleet.label.models.prefix))
            self.calypso = CalypsoRole(fleet.fleet, self.hosts.anchor, served, ceiling.arn, self._child)

    def _policy(self, document: Callable[[Owner], policies.Document]) -> Output[str]:
        return _document(self._owner, document)


def _document(known: Output[T], document: Callable[[T], policies.Document]) -> Output[str]:
    """A document whose names are known only once something is made, as its canonical text."""
    return known.apply(lambda values: policies.canonical(document(values)))


def _access(known: Mapping[str, Any], region: str, fleet: Fleet) -> policies.Document:
    """What the hosts may do: one document for all of them, in which certificates' names tell them apart."""
    document = policies.with_runs(policies.host_access(known["datasets"], known["models"]), known["artifacts"])
    if heirs := fleet.heirs():
        document = with_heirs(document, known["artifacts"], heirs, by_name=True)
    if promoting := fleet.promoters():
        document = policies.with_promotion(document, known["models"], fleet.label.models.prefix, promoting)
    if (monitors := fleet.with_role(Role.MONITOR)) and known["workspaces"]:
        document = permissions.with_samples(document, known["workspaces"], monitors)
    return policies.with_key(document, known["key"], region)


def _served(known: Mapping[str, Any], region: str, prefix: str) -> policies.Document:
    """What Calypso may do."""
    return permissions.with_reading_key(policies.calypso_access(known["models"], prefix), known["key"], region)


def _certificate(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cloud.aws.trust_bundle: {path} cannot be read: {error}"]) from None
    if "PRIVATE KEY" in text or "BEGIN CERTIFICATE" not in text:
        raise ConfigError([f"cloud.aws.trust_bundle: {path} must hold certificates in PEM, and no private key"])
    return text
