"""A host's name and policy → a user of the store with exactly that policy and one access key that is proven to work.

The key's secret goes from the store's answer into a file of the controller (mode 0600) and nowhere else. That file is
the commit point: it names the generation that it is for, so that a run killed anywhere can be run again. Order of a
change: policy, new key, proof with the new key, file, old keys deleted.
The old key ends when the new file is written; the host itself keeps the old one until its next apply.

Seen on versitygw 1.8.0 (IAM API): users with path and tags, inline policies with StringLike/Bool conditions and
`${aws:username}`, two keys a user at most (LimitExceeded), a deleted or inactive key refused at once
(InvalidAccessKeyId). Not there: managed policies, policy simulation, and `${aws:PrincipalTag/…}` inside Resource or
Condition values (its pattern for variables has no slash; as a condition key it works).
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from sparkfleet import secrets
from sparkfleet.cloud import policies
from sparkfleet.cloud.objectstore import Connection, Key, administrator, code, explained, iam, s3
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mypy_boto3_iam import IAMClient

PATH = "/sparkfleet/"
"""Users of ours have this path: a user of another origin is never touched."""

ACTIVE = "active"
UNKNOWN_KEY = {"InvalidAccessKeyId", "SignatureDoesNotMatch"}
QUOTA = 2
"""AWS and versitygw allow so many access keys a user; `plan_keys` never asks for more."""

PROOF_DEADLINE_S = 20.0
"""IAM services may take seconds until every part of them knows a new key."""


@dataclass(frozen=True)
class Wanted:
    """One identity: `policies` maps inline policy names to documents; the key must be able to list `prefix`."""

    user: str
    policies: Mapping[str, str]
    generation: int
    secret_file: Path
    bucket: str
    prefix: str


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


@dataclass(frozen=True)
class KeyPlan:
    """What to do with a user's keys: delete some, make one if `make`, delete the rest once the good key is proven."""

    make: bool
    delete_first: tuple[str, ...]
    delete_last: tuple[str, ...]


@dataclass(frozen=True)
class IdentityState:
    """What an identity is like. `key` is "active" or says in words what is wrong with it."""

    policies: Mapping[str, str]
    key: str


def plan_keys(listed: Iterable[Listed], held: Held | None, generation: int) -> KeyPlan:
    """Decide about the keys of one user; a working key stays until its successor is proven.

    A key whose secret nobody kept (the run that made it was killed) is deleted first, to stay within QUOTA.
    When no kept key works, the oldest active one may still be in use on the host and stays until the end.
    """
    keys = list(listed)
    active = [key.access_key_id for key in keys if key.active]
    kept = held.key.access_key_id if held and held.key.access_key_id in active else None
    if held and kept and held.generation == generation:
        return KeyPlan(False, (), tuple(k.access_key_id for k in keys if k.access_key_id != kept))
    stays = kept or next(iter(active), None)
    return KeyPlan(True, tuple(k.access_key_id for k in keys if k.access_key_id != stays), (stays,) if stays else ())


def ensure_identity(connection: Connection, wanted: Wanted) -> str:
    """Bring the identity to the wanted state and return the id of its one access key.

    Raises StoreError when the store refuses, when the user belongs to somebody else, or when a key cannot be proven.
    """
    client = iam(connection, administrator(connection))
    with explained(f"making identity {wanted.user}", connection):
        _ensure_user(client, wanted.user)
        _ensure_policies(client, wanted)
        held = read_held(wanted.secret_file, wanted.user)
        plan = plan_keys(_list_keys(client, wanted.user), held, wanted.generation)
        if held and not plan.make and not _proven(connection, held.key, wanted):
            plan, held = plan_keys(_list_keys(client, wanted.user), None, wanted.generation), None
        for access_key_id in plan.delete_first:
            _delete_key(client, wanted.user, access_key_id)
        key = _make_key(client, connection, wanted) if plan.make or held is None else held.key
        for access_key_id in plan.delete_last:
            _delete_key(client, wanted.user, access_key_id)
    return key.access_key_id


def observe_identity(connection: Connection, wanted: Wanted) -> IdentityState | None:
    """What the identity is like, None when there is no such user. Raises StoreError when the store does not answer."""
    client = iam(connection, administrator(connection))
    with explained(f"looking at identity {wanted.user}", connection):
        try:
            client.get_user(UserName=wanted.user)
        except ClientError as error:
            if code(error) == "NoSuchEntity":
                return None
            raise
        found = {
            name: policies.canonical(client.get_user_policy(UserName=wanted.user, PolicyName=name)["PolicyDocument"])
            for name in client.list_user_policies(UserName=wanted.user)["PolicyNames"]
        }
        listed = _list_keys(client, wanted.user)
    return IdentityState(found, _key_in_words(listed, read_held(wanted.secret_file, wanted.user)))


def remove_identity(connection: Connection, user: str, secret_file: Path) -> None:
    """Delete the user with its keys and policies, then the kept secret; what is gone already is no fault."""
    client = iam(connection, administrator(connection))
    with explained(f"removing identity {user}", connection):
        try:
            for key in _list_keys(client, user):
                _delete_key(client, user, key.access_key_id)
            for name in client.list_user_policies(UserName=user)["PolicyNames"]:
                client.delete_user_policy(UserName=user, PolicyName=name)
            client.delete_user(UserName=user)
        except ClientError as error:
            if code(error) != "NoSuchEntity":
                raise
    # After a fleet was renamed the successor's key may already lie in the same file: that one stays.
    if read_held(secret_file, user):
        secrets.remove(secret_file)


def read_held(path: Path, user: str) -> Held | None:
    """The key that the controller keeps for `user`; None when there is none, or when the file is no such key."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        key = Key(str(fields["AccessKeyId"]), str(fields["SecretAccessKey"]))
        held = Held(str(fields["User"]), int(fields["Generation"]), key)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return held if held.user == user else None


def _ensure_user(client: IAMClient, user: str) -> None:
    try:
        path = client.get_user(UserName=user)["User"].get("Path", "")
    except ClientError as error:
        if code(error) != "NoSuchEntity":
            raise
        client.create_user(UserName=user, Path=PATH)
        return
    if path != PATH:
        raise StoreError(
            f"the store has a user {user} that this project did not make (its path is {path or '/'}, not {PATH})",
            next_step="give the fleet another name, or remove that user if nobody needs it",
        )


def _ensure_policies(client: IAMClient, wanted: Wanted) -> None:
    for name, document in wanted.policies.items():
        client.put_user_policy(UserName=wanted.user, PolicyName=name, PolicyDocument=document)
    for name in client.list_user_policies(UserName=wanted.user)["PolicyNames"]:
        if name not in wanted.policies:
            client.delete_user_policy(UserName=wanted.user, PolicyName=name)


def _list_keys(client: IAMClient, user: str) -> list[Listed]:
    listed = client.list_access_keys(UserName=user)["AccessKeyMetadata"]
    return [
        Listed(key["AccessKeyId"], key["Status"] == "Active")
        for key in sorted(listed, key=lambda key: key["CreateDate"])
    ]


def _delete_key(client: IAMClient, user: str, access_key_id: str) -> None:
    try:
        client.delete_access_key(UserName=user, AccessKeyId=access_key_id)
    except ClientError as error:
        if code(error) != "NoSuchEntity":
            raise


def _make_key(client: IAMClient, connection: Connection, wanted: Wanted) -> Key:
    """Make a key, prove it, keep it. A key that cannot be proven is taken back and the old one goes on working."""
    made = client.create_access_key(UserName=wanted.user)["AccessKey"]
    key = Key(made["AccessKeyId"], made["SecretAccessKey"])
    if not _proven(connection, key, wanted):
        _delete_key(client, wanted.user, key.access_key_id)
        raise StoreError(
            f"the new key of {wanted.user} does not work; it was deleted again, the old one was not touched",
            usually="the S3 endpoint and the IAM endpoint do not belong to the same store",
            next_step="check cloud.onprem.endpoint and cloud.onprem.iam_endpoint, then run the same command again",
        )
    # The answer that AWS SDKs expect of a credential_process: the file is shipped to the host as it is.
    content = {
        "Version": 1,
        "AccessKeyId": key.access_key_id,
        "SecretAccessKey": key.secret_access_key,
        "User": wanted.user,
        "Generation": wanted.generation,
    }
    secrets.write(wanted.secret_file, json.dumps(content) + "\n")
    return key


def _proven(connection: Connection, key: Key, wanted: Wanted) -> bool:
    """Whether the store lets `key` list the identity's own prefix, asked again until the deadline."""
    client = s3(connection, key)
    end = time.monotonic() + PROOF_DEADLINE_S
    while True:
        try:
            client.list_objects_v2(Bucket=wanted.bucket, Prefix=wanted.prefix, MaxKeys=1)
        except ClientError as error:
            if code(error) not in UNKNOWN_KEY | {"AccessDenied"}:
                raise
        else:
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.5)


def _key_in_words(listed: list[Listed], held: Held | None) -> str:
    if held is None:
        return "its secret is not on this controller"
    found = {key.access_key_id: key for key in listed}
    if held.key.access_key_id not in found:
        return "deleted at the store"
    if not found[held.key.access_key_id].active:
        return "inactive at the store"
    if len(listed) > 1:
        return "active, and another key beside it"
    return ACTIVE
