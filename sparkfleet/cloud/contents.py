"""Fleet → what its part of a store on the premises holds: buckets and identities, as plain values.

Plain names throughout, so that a preview shows everything before anything exists. Nothing is asked of the store.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sparkfleet.cloud import policies
from sparkfleet.cloud.heirs import with_heirs

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.model import Fleet

POLICY_NAME = "host-access"
CONTROLLER = "controller"
CALYPSO = "calypso"
"""No host has either name (cross_checks): these are identities of their own, with key files of these names."""

PURPOSES = ("datasets", "models", "artifacts", "audit")


def buckets(fleet: Fleet, *, tls: bool) -> dict[str, dict[str, Any]]:
    """Purpose → what the bucket is like. `tls`: the store speaks TLS, so requests without it can be refused."""
    locked = fleet.cloud.models_locked_days
    retention = {
        "models": f"GOVERNANCE {locked} days" if locked else "none",
        "audit": f"COMPLIANCE {fleet.cloud.audit_retention_days} days",
    }
    return {
        purpose: {
            "bucket": fleet.bucket(purpose),
            "versioning": "Enabled",
            "policy": _bucket_policy(purpose, fleet.bucket(purpose), tls=tls),
            "retention": retention.get(purpose, ""),
            "tags": {"project": "sparkfleet", "fleet": fleet.fleet, "purpose": purpose, **fleet.cloud.tags},
        }
        for purpose in PURPOSES
    }


def host_identity(fleet: Fleet, host: str) -> dict[str, Any]:
    """The identity of one host: its own prefix, what is shared, the models, and what its runs leave."""
    datasets, models, artifacts = (_arn(fleet, purpose) for purpose in ("datasets", "models", "artifacts"))
    access = policies.with_runs(policies.host_access(datasets, models, host), artifacts, host)
    if left_by := fleet.heirs().get(host):
        access = with_heirs(access, artifacts, {host: left_by}, by_name=False)
    if host in fleet.promoters():
        access = policies.with_promotion(access, models, fleet.label.models.prefix)
    proof = ("datasets", policies.host_prefix(host))
    held = _held_id(fleet.controller.store_key(host))
    return _identity(fleet, host, POLICY_NAME, access, proof) | {"on_host": True, "held": held}


def controller_identity(fleet: Fleet) -> dict[str, Any]:
    """The controller's own identity, which can only add to the audit bucket."""
    access = policies.controller_access(_arn(fleet, "audit"), stamps=True)
    return _identity(fleet, CONTROLLER, "controller-access", access, ("audit", policies.AUDIT))


def calypso_identity(fleet: Fleet) -> dict[str, Any]:
    """Calypso's identity, which can only read the models that it serves. Its key is carried to it by people."""
    prefix = fleet.label.models.prefix
    access = policies.calypso_access(_arn(fleet, "models"), prefix)
    return _identity(fleet, CALYPSO, "calypso-access", access, ("models", f"{prefix}/" if prefix else ""))


def _identity(
    fleet: Fleet, name: str, policy: str, access: policies.Document, proof: tuple[str, str]
) -> dict[str, Any]:
    """`proof`: the purpose of a bucket, and a prefix in it, that a key of this identity must be able to list."""
    purpose, prefix = proof
    return {
        "user": f"{fleet.fleet}-{name}",
        "path": f"/sparkfleet/{fleet.fleet}/",
        "policies": {policy: policies.canonical(access)},
        "generation": fleet.generation(name),
        "secret_file": str(fleet.controller.store_key(name)),
        "proof_bucket": fleet.bucket(purpose),
        "proof_prefix": prefix,
        "on_host": False,
        "held": "",
    }


def _bucket_policy(purpose: str, bucket: str, *, tls: bool) -> str:
    """TLS only, where the store speaks it; versitygw 1.8.0 calls a policy with s3:if-none-match malformed."""
    arn = policies.bucket_arn(bucket)
    if purpose == "audit":
        return policies.canonical(policies.audit_bucket(arn, tls=tls, conditional=False))
    return policies.canonical(policies.tls_only(arn)) if tls else ""


def _arn(fleet: Fleet, purpose: str) -> str:
    return policies.bucket_arn(fleet.bucket(purpose))


def _held_id(path: Path) -> str:
    """The id of the key that the controller holds already; "" when there is none. An id is no secret."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["AccessKeyId"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
