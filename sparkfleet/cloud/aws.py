"""Fleet → buckets, a key, a keyless role for the hosts and AMP's alerts in an AWS account, as pulumi-aws resources.

Mocked: tested without a live account, by recording what is registered (tests/sparkfleet/cloud/test_aws.py).
Hosts hold no AWS key. They present a certificate to IAM Roles Anywhere and get a session of at most an hour whose
prefix is the certificate's common name. The authority's certificate is an input (`cloud.aws.trust_bundle`); making that
authority and the hosts' certificates is not done here. Without the input there are buckets and no role: a role that no
trust anchor narrows down must not exist.

State: the names given to `Account`, `ProtectedBucket`, `HostRole`, `Alerts` and their children are part of the stack's
state; changing one replaces the resource unless an alias is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from sparkfleet.cloud import policies
from sparkfleet.errors import ConfigError
from sparkfleet.monitoring.amp import alertmanager_definition, rule_namespace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sparkfleet.clouds import Aws
    from sparkfleet.model import Fleet
    from sparkfleet.telemetry import Amp

SESSION_S = 3600
ABANDONED_UPLOAD_DAYS = 7
KEY_DELETION_DAYS = 30  # the longest that AWS grants to notice a mistake


class Account(pulumi.ComponentResource):
    """The fleet's part of an AWS account: a KMS key, buckets `datasets`, `models`, `audit`, the hosts' role, alerts."""

    buckets: dict[str, aws.s3.Bucket]
    identities: dict[str, pulumi.Resource]
    controller_policy: Output[str]
    """What the controller's own credentials need beside what made all this: to add audit records and list them."""

    def __init__(self, fleet: Fleet, where: Aws, rules: Iterable[str], opts: ResourceOptions | None = None) -> None:
        """Register everything under one component named after the fleet; `rules`: the texts of all rule files.

        Raises ConfigError when the trust bundle cannot be read.
        """
        super().__init__("sparkfleet:cloud:Account", fleet.fleet, None, opts)
        tags = {"project": "sparkfleet", "fleet": fleet.fleet}
        provider = aws.Provider(
            "aws", region=where.region, default_tags={"tags": tags}, opts=ResourceOptions(parent=self)
        )
        child = ResourceOptions(parent=self, providers={"aws": provider})
        key = data_key(fleet.fleet, ResourceOptions(parent=self, provider=provider))
        protected = {
            purpose: ProtectedBucket(purpose, fleet.bucket(purpose), key.arn, child)
            for purpose in ("datasets", "models")
        }
        days = fleet.cloud.audit_retention_days
        protected["audit"] = ProtectedBucket("audit", fleet.bucket("audit"), None, child, locked_days=days)
        self.buckets = {purpose: each.bucket for purpose, each in protected.items()}
        self.controller_policy = self.buckets["audit"].arn.apply(
            lambda arn: policies.canonical(policies.controller_access(arn, stamps=False))
        )
        self.identities = {}
        if where.trust_bundle:
            access = Output.all(
                datasets=self.buckets["datasets"].arn, models=self.buckets["models"].arn, key=key.arn
            ).apply(lambda arns: _access(arns, where.region, fleet))
            role = HostRole(fleet.fleet, list(fleet.hosts), _certificate(where.trust_bundle), access, child)
            self.identities = dict.fromkeys(fleet.hosts, role.profile)
        else:
            pulumi.log.warn("cloud.aws.trust_bundle is not set: the hosts get no role in this account", self)
        if fleet.monitoring.alerts == "amp" and fleet.monitoring.amp:
            Alerts(fleet.fleet, fleet.monitoring.amp, rule_namespace(rules, fleet.monitoring.runbooks), child)
        self.register_outputs({purpose: bucket.bucket for purpose, bucket in self.buckets.items()})


class ProtectedBucket(pulumi.ComponentResource):
    """A bucket that is versioned, encrypted, closed to the public and to requests without TLS.

    With `locked_days` nobody changes or deletes an object before: object lock in COMPLIANCE mode.
    """

    bucket: aws.s3.Bucket

    def __init__(
        self,
        name: str,
        bucket: str,
        key_arn: Output[str] | None,
        opts: ResourceOptions,
        *,
        locked_days: int | None = None,
    ) -> None:
        """Register bucket `bucket` and what protects it, all named `name`; without `key_arn` S3's own key encrypts."""
        super().__init__("sparkfleet:cloud:ProtectedBucket", name, None, opts)
        child = ResourceOptions(parent=self)
        self.bucket = aws.s3.Bucket(
            name,
            bucket=bucket,
            force_destroy=False,
            object_lock_enabled=True if locked_days else None,
            opts=stateful(ResourceOptions(parent=self)),
        )
        versioning = self._keep_history(name)
        if locked_days:
            aws.s3.BucketObjectLockConfiguration(
                name,
                bucket=self.bucket.id,
                rule={"default_retention": {"mode": "COMPLIANCE", "days": locked_days}},
                opts=ResourceOptions(parent=self, depends_on=[versioning]),
            )
        self._encrypt(name, key_arn)
        aws.s3.BucketOwnershipControls(
            name, bucket=self.bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child
        )
        closed = aws.s3.BucketPublicAccessBlock(
            name,
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        document = Output.all(self.bucket.arn, key_arn).apply(lambda arns: _bucket_policy(arns[0], arns[1]))
        # S3 answers "conflicting operation" when policy and access block are put at the same time.
        after_closing = ResourceOptions(parent=self, depends_on=[closed])
        aws.s3.BucketPolicy(name, bucket=self.bucket.id, policy=document, opts=after_closing)
        self.register_outputs({"bucket": self.bucket.bucket})

    def _encrypt(self, name: str, key_arn: Output[str] | None) -> None:
        # S3's own key: only then a list shows each object's MD5, by which `spark audit --verify` compares it.
        default = {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn} if key_arn else {"sse_algorithm": "AES256"}
        aws.s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=self.bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": default,
                    # One KMS request a bucket and day instead of one an object.
                    "bucket_key_enabled": bool(key_arn),
                }
            ],
            opts=ResourceOptions(parent=self),
        )

    def _keep_history(self, name: str) -> aws.s3.BucketVersioning:
        versioning = aws.s3.BucketVersioning(
            name,
            bucket=self.bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=ResourceOptions(parent=self),
        )
        aws.s3.BucketLifecycleConfiguration(
            name,
            bucket=self.bucket.id,
            rules=[
                {
                    "id": "abort-abandoned-uploads",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_UPLOAD_DAYS},
                }
            ],
            opts=ResourceOptions(parent=self, depends_on=[versioning]),
        )
        return versioning


class HostRole(pulumi.ComponentResource):
    """One role for all hosts, reached by certificate; the common name decides which prefix a session may use."""

    profile: aws.rolesanywhere.Profile

    def __init__(
        self, fleet: str, hosts: list[str], certificate: str, access: Output[str], opts: ResourceOptions
    ) -> None:
        """Register trust anchor, role, policy and profile; `certificate` is the authority's, in PEM."""
        super().__init__("sparkfleet:cloud:HostRole", f"{fleet}-hosts", None, opts)
        child = ResourceOptions(parent=self)
        anchor = aws.rolesanywhere.TrustAnchor(
            "hosts",
            name=f"{fleet}-hosts",
            enabled=True,
            source={"source_type": "CERTIFICATE_BUNDLE", "source_data": {"x509_certificate_data": certificate}},
            opts=child,
        )
        role = aws.iam.Role(
            "hosts",
            name=f"{fleet}-hosts",
            description="What a Spark of the fleet may do; its certificate's common name is its prefix",
            assume_role_policy=anchor.arn.apply(
                lambda arn: policies.canonical(policies.roles_anywhere_trust(arn, hosts))
            ),
            max_session_duration=SESSION_S,
            opts=child,
        )
        policy = aws.iam.Policy("hosts", name=f"{fleet}-hosts", policy=access, opts=child)
        attached = aws.iam.RolePolicyAttachment("hosts", role=role.name, policy_arn=policy.arn, opts=child)
        self.profile = aws.rolesanywhere.Profile(
            "hosts",
            name=f"{fleet}-hosts",
            enabled=True,
            role_arns=[role.arn],
            duration_seconds=SESSION_S,
            opts=ResourceOptions(parent=self, depends_on=[attached]),
        )
        self.register_outputs({"role": role.arn, "profile": self.profile.arn})


class Alerts(pulumi.ComponentResource):
    """The alerts of a workspace that exists already, and whom its Alertmanager tells, by way of one SNS topic."""

    def __init__(self, fleet: str, amp: Amp, rules: str, opts: ResourceOptions) -> None:
        """Register the rule namespace `rules`, named after the fleet, and the workspace's only Alertmanager."""
        super().__init__("sparkfleet:cloud:Alerts", f"{fleet}-alerts", None, opts)
        child = ResourceOptions(parent=self)
        place = {"workspace_id": amp.workspace_id, "region": amp.region}
        aws.amp.RuleGroupNamespace("alerts", name=f"sparkfleet-{fleet}", data=rules, opts=child, **place)
        aws.amp.AlertManagerDefinition("alerts", definition=alertmanager_definition(amp), opts=child, **place)
        self.register_outputs({})


def stateful(opts: ResourceOptions) -> ResourceOptions:
    """`opts` for what holds data: `pulumi destroy` refuses to touch it, and even unprotected it outlives the stack."""
    return ResourceOptions.merge(opts, ResourceOptions(protect=True, retain_on_delete=True))


def data_key(fleet: str, opts: ResourceOptions) -> aws.kms.Key:
    """The key of all the fleet's data, rotated by AWS every year, with an alias that people can read."""
    caller = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=opts.provider, parent=opts.parent))
    key = aws.kms.Key(
        "data",
        description=f"sparkfleet {fleet}: datasets and models",
        enable_key_rotation=True,
        deletion_window_in_days=KEY_DELETION_DAYS,
        policy=caller.arn.apply(lambda arn: policies.canonical(policies.key_administration(_account_root(arn)))),
        opts=stateful(opts),
    )
    aws.kms.Alias("data", name=f"alias/sparkfleet-{fleet}", target_key_id=key.id, opts=opts)
    return key


def _account_root(caller_arn: str) -> str:
    """The account of an ARN such as arn:aws:sts::111122223333:assumed-role/x/y, in the caller's own partition."""
    _, partition, _, _, account, *_ = caller_arn.split(":")
    return f"arn:{partition}:iam::{account}:root"


def _bucket_policy(arn: str, key_arn: str | None) -> str:
    """With a key of our own: no other encryption. Without: the audit bucket, in which nothing is written twice."""
    document = (
        policies.protected_bucket(arn, key_arn) if key_arn else policies.audit_bucket(arn, tls=True, conditional=True)
    )
    return policies.canonical(document)


def _access(arns: Mapping[str, str], region: str, fleet: Fleet) -> str:
    document = policies.host_access(arns["datasets"], arns["models"])
    if hosts := fleet.promoters():
        document = policies.with_promotion(document, arns["models"], fleet.label.models.prefix, hosts)
    return policies.canonical(policies.with_key(document, arns["key"], region))


def _certificate(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"cloud.aws.trust_bundle: {path} cannot be read: {error}"]) from None
    if "PRIVATE KEY" in text or "BEGIN CERTIFICATE" not in text:
        raise ConfigError([f"cloud.aws.trust_bundle: {path} must hold certificates in PEM, and no private key"])
    return text
