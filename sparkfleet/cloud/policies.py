"""Names of buckets, hosts and keys → IAM policy documents, the same for AWS and for a store on the premises.

Pure data. Source of the grammar: AWS IAM policy language, version 2012-10-17. Whether a document does what it says is
shown by a store that enforces it (tests/sparkfleet/cloud/test_enforcement.py), not by reading.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Required, TypedDict

SHARED = "shared/"
AUDIT = "audit/"
CERTIFICATE_NAME = "${aws:PrincipalTag/x509Subject/CN}"
"""Stands for the caller's own host name where the caller came through IAM Roles Anywhere with a certificate."""

VERSION = "2012-10-17"


class Statement(TypedDict, total=False):
    """One rule. `Principal` stands only in documents that are attached to a resource."""

    Sid: Required[str]
    Effect: Required[str]
    Principal: str | dict[str, str]
    Action: Required[str | list[str]]
    Resource: str | list[str]
    Condition: dict[str, dict[str, str | list[str]]]


class Document(TypedDict):
    """A policy as IAM and S3 take it."""

    Version: str
    Statement: list[Statement]


def bucket_arn(bucket: str) -> str:
    """The resource name of a bucket on a store that has no partitions (everything but AWS itself)."""
    return f"arn:aws:s3:::{bucket}"


def host_prefix(host: str) -> str:
    """Where the objects of a host begin in the datasets bucket."""
    return f"hosts/{host}/"


def host_access(datasets_arn: str, models_arn: str, host: str = CERTIFICATE_NAME) -> Document:
    """What a host may do: read and write its own prefix, read `shared/` and the models; nothing of another host.

    Deleting is allowed in the own prefix, deleting a version is not: with versioning on, a host cannot destroy history.
    Without `host` the document serves the whole fleet: the caller's certificate names the prefix.
    """
    own = host_prefix(host)
    return _document(
        {
            "Sid": "OwnPrefix",
            "Effect": "Allow",
            "Action": [
                "s3:GetObject",
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:AbortMultipartUpload",
                "s3:ListMultipartUploadParts",
            ],
            "Resource": f"{datasets_arn}/{own}*",
        },
        {
            "Sid": "ReadShared",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [f"{datasets_arn}/{SHARED}*", f"{models_arn}/*"],
        },
        {
            "Sid": "ListOwnAndShared",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": datasets_arn,
            "Condition": {"StringLike": {"s3:prefix": [f"{own}*", f"{SHARED}*"]}},
        },
        {"Sid": "ListModels", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": models_arn},
    )


def with_promotion(document: Document, models_arn: str, prefix: str, hosts: Iterable[str] = ()) -> Document:
    """`document` with what the label loop needs: to write and take away below `prefix` of the models.

    Taking away is no destroying: with versioning on, what was there stays as an older version. `hosts`: the document
    serves the whole fleet, and the caller's certificate must name one of these.
    """
    statement: Statement = {
        "Sid": "PromoteModels",
        "Effect": "Allow",
        "Action": ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
        "Resource": f"{models_arn}/{prefix}/*" if prefix else f"{models_arn}/*",
    }
    if named := sorted(hosts):
        statement["Condition"] = {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": named}}
    return _document(*document["Statement"], statement)


def with_runs(document: Document, artifacts_arn: str, host: str = CERTIFICATE_NAME) -> Document:
    """`document` with what runs leave: write and read below the host's own prefix of the artefacts, delete nothing."""
    own, may = host_prefix(host), ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    return _document(
        *document["Statement"],
        {"Sid": "LeaveRuns", "Effect": "Allow", "Action": may, "Resource": f"{artifacts_arn}/{own}*"},
        {
            "Sid": "ListOwnRuns",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": artifacts_arn,
            "Condition": {"StringLike": {"s3:prefix": f"{own}*"}},
        },
    )


def calypso_access(models_arn: str, prefix: str) -> Document:
    """What Calypso may do: read and list the models below `prefix`, nothing else.

    A request without a prefix passes, or Triton would not start (HeadBucket, in its s3.h): names of others show.
    """
    served = f"{prefix}/*" if prefix else "*"
    return _document(
        {"Sid": "ReadServed", "Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{models_arn}/{served}"},
        {
            "Sid": "ListServed",
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": models_arn,
            "Condition": {"StringLikeIfExists": {"s3:prefix": served}},
        },
    )


def controller_access(audit_arn: str, *, stamps: bool) -> Document:
    """What the controller may do with the audit bucket: put objects below `audit/` and list them, nothing else.

    `stamps`: it also says how long each object is locked, for stores that do not take that from the bucket. In
    COMPLIANCE mode the same permission cannot shorten a lock (S3 user guide, "Object Lock retention modes").
    """
    return _document(
        {
            "Sid": "AddRecords",
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:PutObjectRetention"] if stamps else "s3:PutObject",
            "Resource": f"{audit_arn}/{AUDIT}*",
        },
        {
            "Sid": "ListRecords",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:ListBucketVersions"],
            "Resource": audit_arn,
            "Condition": {"StringLike": {"s3:prefix": f"{AUDIT}*"}},
        },
    )


def audit_bucket(arn: str, *, tls: bool, conditional: bool) -> Document:
    """A bucket policy under which nobody deletes anything and, with `conditional`, nobody writes an object twice.

    `tls`: the store speaks TLS, so that requests without it are refused. `conditional`: the store knows the condition
    key s3:if-none-match (AWS does, since November 2024: S3 user guide, "Enforce conditional writes").
    """
    objects = f"{arn}/*"
    never: Statement = {
        "Sid": "NobodyDeletes",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"],
        "Resource": objects,
    }
    once: Statement = {
        "Sid": "NobodyOverwrites",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": objects,
        "Condition": {"Null": {"s3:if-none-match": "true"}},
    }
    return _document(*([_tls_only(arn)] if tls else []), never, *([once] if conditional else []))


def with_key(document: Document, key_arn: str, region: str) -> Document:
    """`document` with the use of one KMS key added, through S3 of one region only."""
    statement: Statement = {
        "Sid": "UseDataKeyThroughS3",
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": key_arn,
        "Condition": {"StringEquals": {"kms:ViaService": f"s3.{region}.amazonaws.com"}},
    }
    return _document(*document["Statement"], statement)


def tls_only(arn: str) -> Document:
    """A bucket policy that refuses every request without TLS, the administrator's included."""
    return _document(_tls_only(arn))


def protected_bucket(arn: str, key_arn: str) -> Document:
    """A bucket policy: TLS only, and no object that is encrypted otherwise than with the bucket's own KMS key.

    A request that names no encryption is let through, because the bucket's default is that key.
    """
    header = "s3:x-amz-server-side-encryption"
    return _document(
        _tls_only(arn),
        _unless("DenyOtherEncryption", arn, header, "aws:kms"),
        _unless("DenyOtherKey", arn, f"{header}-aws-kms-key-id", key_arn),
    )


def key_administration(account_root_arn: str) -> Document:
    """A key policy that leaves all permissions to the account's IAM policies, as AWS's own default does.

    Without this statement a key can become unmanageable for everybody (AWS KMS developer guide, "Default key policy").
    """
    return _document(
        {
            "Sid": "AccountDecidesByIam",
            "Effect": "Allow",
            "Principal": {"AWS": account_root_arn},
            "Action": "kms:*",
            "Resource": "*",
        }
    )


def roles_anywhere_trust(anchor_arn: str, hosts: Iterable[str]) -> Document:
    """A role's trust: certificates of one trust anchor whose common name is one of `hosts`.

    Without the condition on the name every certificate of that authority would get the role (AWS Roles Anywhere user
    guide, "Trust model").
    """
    return _document(
        {
            "Sid": "HostsByCertificate",
            "Effect": "Allow",
            "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {
                "ArnEquals": {"aws:SourceArn": anchor_arn},
                "StringEquals": {"aws:PrincipalTag/x509Subject/CN": sorted(hosts)},
            },
        }
    )


def canonical(document: Document | Mapping[str, Any] | str) -> str:
    """One text for all documents that mean the same: keys sorted, one-element lists and their element alike.

    Raises ValueError for a text that is not JSON.
    """
    data = json.loads(document) if isinstance(document, str) else document
    return json.dumps(_plain(data), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Stores give a policy back in a form of their own: `"Action": ["x"]` for `"x"`, another order in lists."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        parts = [_plain(part) for part in value]
        if all(isinstance(part, str) for part in parts):
            parts = sorted(set(parts))
            return parts[0] if len(parts) == 1 else parts
        return parts
    return value


def _tls_only(arn: str) -> Statement:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _unless(sid: str, arn: str, header: str, wanted: str) -> Statement:
    """No upload with another value in `header`. Null: a negated operator is met by a request without it, too."""
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"{arn}/*",
        "Condition": {"StringNotEquals": {header: wanted}, "Null": {header: "false"}},
    }


def _document(*statements: Statement) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}
