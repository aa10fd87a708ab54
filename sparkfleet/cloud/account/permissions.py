"""Whose account it is, and names in it → the documents that only an AWS account knows. Pure.

They say what AWS's own services may do for the fleet, and how far a role of the fleet can reach at most. What hosts and
people may do with objects is the same everywhere: `sparkfleet.cloud.policies`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkfleet.cloud import policies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkfleet.cloud.policies import Document, Statement

Condition = dict[str, dict[str, str | list[str]]]

NAME_TAG = "aws:PrincipalTag/x509Subject/CN"
ACCESS, INVENTORY, REQUESTS = "access", "inventory", "cloudtrail"
"""Where in the bucket for logs each kind begins."""


@dataclass(frozen=True)
class Owner:
    """The account that all this is made in, and one region of it."""

    partition: str
    account: str
    region: str

    @classmethod
    def of(cls, caller_arn: str, region: str) -> Owner:
        """The account of an ARN such as arn:aws:sts::111122223333:assumed-role/x/y, in the caller's own partition."""
        _, partition, _, _, account, *_ = caller_arn.split(":")
        return cls(partition, account, region)

    @property
    def root(self) -> str:
        """Stands for everybody whom the account's own IAM lets."""
        return f"arn:{self.partition}:iam::{self.account}:root"

    def bucket(self, name: str) -> str:
        """The ARN of a bucket, which names neither account nor region."""
        return f"arn:{self.partition}:s3:::{name}"

    def arn(self, service: str, resource: str, region: str = "") -> str:
        """The ARN of any other resource of this account, in its region or another."""
        return f"arn:{self.partition}:{service}:{region or self.region}:{self.account}:{resource}"

    def trail(self, fleet: str) -> str:
        """The ARN of the fleet's trail: known before the trail is made, because it needs what names it here."""
        return self.arn("cloudtrail", f"trail/{fleet}-requests")


def ceiling(buckets: Iterable[str], key_arn: str, workspaces: Iterable[str], region: str) -> Document:
    """The permissions boundary of every role: no policy of such a role, whoever widens it, reaches beyond this.

    Objects of the named buckets, the fleet's key through S3, samples into the named workspaces. No version is deleted,
    no lock is bypassed, no bucket is changed and no role is passed on, because nothing here says so.
    """
    arns = sorted(buckets)
    objects: Statement = {
        "Sid": "ObjectsOfTheFleet",
        "Effect": "Allow",
        "Action": [
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
            "s3:AbortMultipartUpload",
            "s3:ListMultipartUploadParts",
        ],
        "Resource": [f"{arn}/*" for arn in arns],
    }
    lists: Statement = {"Sid": "ListBuckets", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": arns}
    document: Document = {"Version": policies.VERSION, "Statement": [objects, lists]}
    document = policies.with_key(document, key_arn, region)
    if written := sorted(set(workspaces)):
        document["Statement"].append(_samples(written))
    return document


def with_samples(document: Document, workspaces: Iterable[str], monitors: Iterable[str]) -> Document:
    """`document` with what a monitor needs: to write samples; the caller's certificate must name one of `monitors`."""
    condition: Condition = {"StringEquals": {NAME_TAG: sorted(monitors)}}
    statement: Statement = {**_samples(sorted(set(workspaces))), "Condition": condition}
    return {"Version": document["Version"], "Statement": [*document["Statement"], statement]}


def with_reading_key(document: Document, key_arn: str, region: str) -> Document:
    """`document` with the use of one KMS key for reading, through S3 of one region only."""
    statement: Statement = {
        "Sid": "ReadWithDataKeyThroughS3",
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key_arn,
        "Condition": {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}},
    }
    return {"Version": document["Version"], "Statement": [*document["Statement"], statement]}


def watch_key(owner: Owner, fleet: str) -> Document:
    """The policy of the key that guards what AWS's services write about the fleet: topics, log groups, trail.

    A topic that CloudWatch speaks to needs a key of one's own, because the policy of AWS's own key cannot be changed
    (SNS developer guide, "Enable compatibility between event sources from AWS services and encrypted topics"). What a
    log group needs: CloudWatch Logs user guide, "Encrypt log data".
    """
    use, keep = ["kms:Decrypt", "kms:GenerateDataKey*"], ["kms:DescribeKey", "kms:Encrypt", "kms:ReEncrypt*"]
    group = owner.arn("logs", f"log-group:{log_group(fleet)}")
    logs: Condition = {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": group}}
    return {
        "Version": policies.VERSION,
        "Statement": [
            *policies.key_administration(owner.root)["Statement"],
            _service("AlarmsIntoTopics", "cloudwatch", use, "*", _from(owner, _alarms(owner, fleet))),
            _service("AlertsIntoTopics", "aps", use, "*", _from(owner, owner.arn("aps", "workspace/*"))),
            _service("LogGroups", f"logs.{owner.region}", [*use, *keep], "*", logs),
            _service("Trail", "cloudtrail", ["kms:GenerateDataKey*", "kms:DescribeKey"], "*", _trail(owner, fleet)),
        ],
    }


def topic(owner: Owner, topic_arn: str, fleet: str) -> Document:
    """The policy of a topic: the fleet's alarms and the account's AMP workspaces may publish, nobody without TLS."""
    closed: Statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": topic_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    publish, look = "sns:Publish", "sns:GetTopicAttributes"
    return {
        "Version": policies.VERSION,
        "Statement": [
            closed,
            _service("Alarms", "cloudwatch", publish, topic_arn, _from(owner, _alarms(owner, fleet))),
            _service("Alerts", "aps", [publish, look], topic_arn, _from(owner, owner.arn("aps", "workspace/*"))),
        ],
    }


def log_bucket(owner: Owner, arn: str, fleet: str, sources: Iterable[str]) -> Document:
    """The policy of the bucket for logs: S3 and CloudTrail add what they say of `sources` and of the fleet's trail.

    Sources: S3 user guide, "Permissions for log delivery" and "Configuring inventory"; CloudTrail user guide, "S3
    bucket policy for CloudTrail".
    """
    about, trail, put = _from(owner, *sorted(sources)), _trail(owner, fleet), "s3:PutObject"
    trailed = f"{arn}/{REQUESTS}/AWSLogs/{owner.account}/*"
    return {
        "Version": policies.VERSION,
        "Statement": [
            *policies.tls_only(arn)["Statement"],
            _service("AccessLogs", "logging.s3", put, f"{arn}/{ACCESS}/*", about),
            _service("Inventories", "s3", put, f"{arn}/{INVENTORY}/*", _given(about)),
            _service("TrailLooks", "cloudtrail", "s3:GetBucketAcl", arn, trail),
            _service("TrailWrites", "cloudtrail", put, trailed, _given(trail)),
        ],
    }


def log_group(fleet: str) -> str:
    """The name of the log group of the fleet's workspace: AMP writes below this prefix alone."""
    return f"/aws/vendedlogs/prometheus/{fleet}"


def _samples(workspaces: list[str]) -> Statement:
    return {"Sid": "WriteSamples", "Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": workspaces}


def _alarms(owner: Owner, fleet: str) -> str:
    return owner.arn("cloudwatch", f"alarm:{fleet}-*")


def _trail(owner: Owner, fleet: str) -> Condition:
    return _from(owner, owner.trail(fleet))


def _service(sid: str, service: str, action: str | list[str], resource: str, condition: Condition) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    }


def _from(owner: Owner, *sources: str) -> Condition:
    """Only on behalf of these resources of this account: else another account could send AWS's service here."""
    named = list(sources) if len(sources) > 1 else sources[0]
    return {"StringEquals": {"aws:SourceAccount": owner.account}, "ArnLike": {"aws:SourceArn": named}}


def _given(condition: Condition) -> Condition:
    """The same, of an object that the bucket's owner has all rights on."""
    equal = condition["StringEquals"] | {"s3:x-amz-acl": "bucket-owner-full-control"}
    return {**condition, "StringEquals": equal}
