"""A user of the store → its access keys: listed, made, kept in a file of the controller, proven, refused, ended.

What `identities` and the rotation of a host's key share. While a key is replaced, its successor lies beside the file
that the controller keeps as `<host>.json.new`, and then its predecessor as `<host>.json.old`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from sparkfleet import secrets
from sparkfleet.cloud.objectstore import Connection, Key, code, s3

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_iam import IAMClient

UNKNOWN_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
QUOTA = 2
"""AWS and versitygw allow so many access keys a user."""

PROOF_DEADLINE_S = 20.0
"""IAM services may take seconds until every part of them knows a new key, or knows it no longer."""

PAUSE_S = 0.5


@dataclass(frozen=True)
class Held:
    """A key as the controller keeps it."""

    user: str
    generation: int
    key: Key


@dataclass(frozen=True)
class Listed:
    """A key as the store lists it, in the order in which the keys were made."""

    access_key_id: str
    active: bool


def pending(secret_file: Path) -> Path:
    """Where a key waits until it is proven."""
    return secret_file.with_name(f"{secret_file.name}.new")


def leaving(secret_file: Path) -> Path:
    """Where a key is kept until it is refused."""
    return secret_file.with_name(f"{secret_file.name}.old")


def files(secret_file: Path) -> tuple[Path, ...]:
    """Every file in which a key of this identity may be."""
    return (secret_file, pending(secret_file), leaving(secret_file))


def read_held(path: Path, user: str) -> Held | None:
    """The key that the controller keeps for `user`; None when there is none, or when the file is no such key."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        key = Key(str(fields["AccessKeyId"]), str(fields["SecretAccessKey"]))
        held = Held(str(fields["User"]), int(fields["Generation"]), key)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return held if held.user == user else None


def keep(path: Path, held: Held) -> None:
    """Write the key as AWS SDKs expect it of a credential_process: the file is shipped to the host as it is."""
    content = {
        "Version": 1,
        "AccessKeyId": held.key.access_key_id,
        "SecretAccessKey": held.key.secret_access_key,
        "User": held.user,
        "Generation": held.generation,
    }
    secrets.write(path, json.dumps(content) + "\n")


def listed(client: IAMClient, user: str) -> list[Listed]:
    """The user's keys, oldest first."""
    found = client.list_access_keys(UserName=user)["AccessKeyMetadata"]
    return [
        Listed(key["AccessKeyId"], key["Status"] == "Active")
        for key in sorted(found, key=lambda key: key["CreateDate"])
    ]


def make(client: IAMClient, user: str) -> Key:
    """A new key; its secret is told this once."""
    made = client.create_access_key(UserName=user)["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


def end(client: IAMClient, user: str, access_key_id: str) -> None:
    """Delete a key; one that is gone already is no fault."""
    try:
        client.delete_access_key(UserName=user, AccessKeyId=access_key_id)
    except ClientError as error:
        if code(error) != "NoSuchEntity":
            raise


def proven(connection: Connection, key: Key, bucket: str, prefix: str) -> bool:
    """Whether the store lets `key` list the prefix, asked again until the deadline."""
    return _answered(connection, key, bucket, prefix, "")


def refused(connection: Connection, key: Key, bucket: str, prefix: str) -> bool:
    """Whether the store no longer knows `key`, asked again until the deadline."""
    return _answered(connection, key, bucket, prefix, "InvalidAccessKeyId")


def _answered(connection: Connection, key: Key, bucket: str, prefix: str, wanted: str) -> bool:
    client = s3(connection, key)
    end_s = time.monotonic() + PROOF_DEADLINE_S
    while True:
        try:
            client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
            said = ""
        except ClientError as error:
            said = code(error)
            if said not in UNKNOWN_KEY | {"AccessDenied"}:
                raise
        if said == wanted:
            return True
        if time.monotonic() >= end_s:
            return False
        time.sleep(PAUSE_S)
