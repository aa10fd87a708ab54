"""Fleet → where its Pulumi state is kept, and who may do what with it. Pure.

The state names every resource, host and setting of the fleet, and whoever writes it decides what the next `pulumi up`
does. So it has a bucket that no host may touch, and a key that opens this bucket alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sparkfleet.cloud import policies

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkfleet.cloud.policies import Document, Statement
    from sparkfleet.clouds import Aws, Onprem
    from sparkfleet.model import Fleet

STATE = "state"
"""The bucket's purpose, and on the premises the name of the identity and of its key file: no host has it."""

PREFIX = ".pulumi/"
"""Pulumi keeps everything below it."""


def bucket_policy(arn: str, *, tls: bool = True, key_arn: str = "", shut_out: Iterable[str] = ()) -> Document:
    """A bucket policy: nobody deletes a version, and the roles `shut_out` do nothing at all, whatever IAM lets them.

    Pulumi deletes and overwrites; with versioning on that hides what was there, and takes nothing away. `key_arn`: no
    other encryption than with that KMS key. `tls`: the store speaks TLS, so requests without it are refused.
    """
    closed = policies.protected_bucket(arn, key_arn) if key_arn else policies.tls_only(arn)
    history: Statement = {
        "Sid": "NobodyDeletesHistory",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObjectVersion",
        "Resource": f"{arn}/*",
    }
    rules = [*(closed["Statement"] if tls else []), history]
    if roles := sorted(shut_out):
        rules.append(
            {
                "Sid": "HostsStayOut",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"ArnEquals": {"aws:PrincipalArn": roles}},
            }
        )
    return {"Version": policies.VERSION, "Statement": rules}


def operator_access(arn: str, key_arn: str = "", region: str = "") -> Document:
    """What whoever runs `pulumi up` needs for the state: its objects, and with `key_arn` that key.

    The key is used through S3 for the objects, and directly by Pulumi for the secrets in the state.
    """
    document: Document = {
        "Version": policies.VERSION,
        "Statement": [
            {
                "Sid": "KeepState",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": f"{arn}/{PREFIX}*",
            },
            {"Sid": "ListState", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn},
        ],
    }
    if key_arn:
        document = policies.with_key(document, key_arn, region)
        secrets: Statement = {
            "Sid": "SecretsOfTheState",
            "Effect": "Allow",
            "Action": ["kms:Encrypt", "kms:Decrypt"],
            "Resource": key_arn,
        }
        document["Statement"].append(secrets)
    return document


def onprem_bucket(fleet: Fleet, *, tls: bool) -> dict[str, Any]:
    """What the bucket is like in a store on the premises."""
    name = fleet.bucket(STATE)
    return {
        "bucket": name,
        "versioning": "Enabled",
        "policy": policies.canonical(bucket_policy(policies.bucket_arn(name), tls=tls)),
        "retention": "",
        "tags": {"project": "sparkfleet", "fleet": fleet.fleet, "purpose": STATE, **fleet.cloud.tags},
    }


def onprem_identity(fleet: Fleet) -> dict[str, Any]:
    """Who keeps the state in a store on the premises; the key is in a file on the controller, as all its keys are."""
    name = fleet.bucket(STATE)
    return {
        "user": f"{fleet.fleet}-{STATE}",
        "path": f"/sparkfleet/{fleet.fleet}/",
        "policies": {"state-access": policies.canonical(operator_access(policies.bucket_arn(name)))},
        "generation": fleet.generation(STATE),
        "secret_file": str(fleet.controller.store_key(STATE)),
        "proof_bucket": name,
        "proof_prefix": PREFIX,
        "on_host": False,
        "held": "",
    }


def aws_url(fleet: Fleet, where: Aws) -> str:
    """What `pulumi login` is given; credentials come from the environment, as for the account itself."""
    return f"s3://{fleet.bucket(STATE)}?{urlencode({'region': where.region})}"


def onprem_url(fleet: Fleet, where: Onprem) -> str:
    """What `pulumi login` is given; the credentials are those of the profile that `profile` describes."""
    place = {"region": where.region, "endpoint": where.endpoint, "use_path_style": "true"}
    return f"s3://{fleet.bucket(STATE)}?{urlencode({**place, 'profile': f'{fleet.fleet}-{STATE}'})}"


def profile(fleet: Fleet, where: Onprem) -> str:
    """The lines for ~/.aws/config: the key itself stays in its file."""
    file = fleet.controller.store_key(STATE)
    return f'[profile {fleet.fleet}-{STATE}]\nregion = {where.region}\ncredential_process = cat "{file}"\n'


def secrets_provider(fleet: Fleet, where: Aws) -> str:
    """What `pulumi stack init --secrets-provider` is given."""
    return f"awskms://alias/{alias(fleet)}?{urlencode({'region': where.region})}"


def alias(fleet: Fleet) -> str:
    """The name of the KMS key of the state."""
    return f"sparkfleet-{fleet.fleet}-{STATE}"
