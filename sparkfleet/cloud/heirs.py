"""Hosts and whose kept records each may read → the statements that let them, added to a policy. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.cloud.policies import Document, Statement, host_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

Condition = dict[str, dict[str, str | list[str]]]


def with_heirs(document: Document, artifacts_arn: str, heirs: Mapping[str, str], *, by_name: bool) -> Document:
    """`document` with what restoring takes: host → another one, whose records of the label loop it may read and list.

    `by_name`: the document serves the whole fleet, and the caller's certificate must be that host's.
    """
    statements = list(document["Statement"])
    for number, (host, left_by) in enumerate(sorted(heirs.items()), 1):
        caller: Condition = {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": host}} if by_name else {}
        kept = f"{host_prefix(left_by)}label/*"
        statements += [
            _may(f"ReadKept{number}", "s3:GetObject", f"{artifacts_arn}/{kept}", caller),
            _may(f"ListKept{number}", "s3:ListBucket", artifacts_arn, {"StringLike": {"s3:prefix": kept}, **caller}),
        ]
    return {"Version": document["Version"], "Statement": statements}


def _may(sid: str, action: str, resource: str, condition: Condition) -> Statement:
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement
