"""A host's name and policy → a user of the store with exactly that policy and an access key that is proven to work.

The key's secret goes from the store's answer into a file of the controller (mode 0600) and nowhere else. That file is
the commit point: it names the generation that it is for, so that a run killed anywhere can be run again. Order of a
change: policy, new key, proof with the new key, file. The key before it stays for as long as the host may still have
it: `end_others` ends it, once the host was given the new one.

Seen on versitygw 1.8.0 (IAM API): users with path and tags, inline policies with StringLike/Bool conditions and
`${aws:username}`, two keys a user at most (LimitExceeded), a deleted or inactive key refused at once
(InvalidAccessKeyId). Not there: managed policies, policy simulation, and `${aws:PrincipalTag/…}` inside Resource or
Condition values (its pattern for variables has no slash; as a condition key it works).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from sparkfleet import secrets
from sparkfleet.cloud import access_keys, policies
from sparkfleet.cloud.access_keys import QUOTA, Held, Listed, read_held
from sparkfleet.cloud.objectstore import Connection, Key, administrator, code, explained, iam
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from mypy_boto3_iam import IAMClient

PATH = "/sparkfleet/"
"""Users of ours have this path, or one below it with the fleet's name: a user of another origin is never touched.

The fleet's name matters: fleet `a` with a host `b-c` and fleet `a-b` with a host `c` give their users one name.
"""

ACTIVE = "active"
NO_SECRET = "lost"  # noqa: S105  (stands where one was: of such a key only the id is known)


@dataclass(frozen=True)
class Wanted:
    """One identity: `policies` maps inline policy names to documents; the key must be able to list `prefix`."""

    user: str
    policies: Mapping[str, str]
    generation: int
    secret_file: Path
    bucket: str
    prefix: str
    on_host: bool = True
    """Whether a host holds the key, too: then the one before it must outlast the run that makes a new one."""

    path: str = PATH
    """Where the user is made. One that is there already may also be directly in PATH, as earlier versions made it."""


@dataclass(frozen=True)
class KeyPlan:
    """What to do with a user's keys: delete some, make one if `make`, delete the rest once the good key is proven.

    `stays` is the key that works, or may: its host has it. `waits`: nothing can be made, because both keys may be used.
    """

    make: bool
    delete_first: tuple[str, ...]
    delete_last: tuple[str, ...]
    stays: str = ""
    waits: bool = False


@dataclass(frozen=True)
class IdentityState:
    """What an identity is like. `key` is "active" or says in words what is wrong with the one that is kept."""

    policies: Mapping[str, str]
    key: str
    access_key_id: str


def plan_keys(
    listed: Iterable[Listed],
    held: Held | None,
    generation: int,
    *,
    on_host: bool = False,
    spared: Collection[str] = (),
) -> KeyPlan:
    """Decide about the keys of one user; a working key stays until its successor is proven.

    A key whose secret nobody kept (the run that made it was killed) is deleted first, to stay within QUOTA.
    When no kept key works, the oldest active one may still be in use on the host and stays until the end; with
    `on_host` beyond the end. `spared` are keys that a host may still have, or that a rotation waits with.
    """
    keys = list(listed)
    active = [key.access_key_id for key in keys if key.active]
    others = [key for key in active if key in spared]
    kept = held.key.access_key_id if held and held.key.access_key_id in active else None
    stays = kept or next(iter([*others, *active]), None)
    used = {*others, *([stays] if stays else [])}
    free = tuple(key.access_key_id for key in keys if key.access_key_id not in used)
    if held and kept and held.generation == generation:
        return KeyPlan(False, (), free, stays=kept)
    if len(used) >= QUOTA:
        return KeyPlan(False, (), (), waits=True)
    return KeyPlan(True, free, tuple(used) if not on_host else (), stays=stays or "")


def ensure_identity(connection: Connection, wanted: Wanted) -> str:
    """Bring the identity to the wanted state and return the id of its access key.

    Raises StoreError when the store refuses, when the user belongs to somebody else, or when a key cannot be proven.
    """
    client = iam(connection, administrator(connection))
    with explained(f"making identity {wanted.user}", connection):
        _ensure_user(client, wanted.user, wanted.path)
        _ensure_policies(client, wanted)
        held = read_held(wanted.secret_file, wanted.user)
        plan = _plan(client, wanted, held)
        if held and not plan.make and not plan.waits and not _proven(connection, held, wanted):
            held = None
            plan = _plan(client, wanted, held)
        if plan.waits:
            raise StoreError(
                f"{wanted.user} has two access keys: its host was not given the new one yet",
                next_step="let `pulumi up` or `spark rotate s3` reach the host, then run the same command again",
            )
        for access_key_id in plan.delete_first:
            access_keys.end(client, wanted.user, access_key_id)
        if plan.make or held is None:
            held = _make_key(client, connection, wanted, plan.stays)
        for access_key_id in plan.delete_last:
            access_keys.end(client, wanted.user, access_key_id)
    return held.key.access_key_id


def end_others(connection: Connection, user: str, access_key_id: str, secret_file: Path) -> None:
    """Delete every key of the user but this one, which its host holds by now. Raises StoreError."""
    client = iam(connection, administrator(connection))
    with explained(f"ending old keys of {user}", connection):
        for key in access_keys.listed(client, user):
            if key.access_key_id != access_key_id:
                access_keys.end(client, user, key.access_key_id)
    secrets.remove(access_keys.leaving(secret_file))


def only_key(connection: Connection, user: str) -> str:
    """The id of the user's one access key; "" when it has none, or several. Raises StoreError."""
    client = iam(connection, administrator(connection))
    with explained(f"looking at the keys of {user}", connection):
        try:
            found = [key.access_key_id for key in access_keys.listed(client, user)]
        except ClientError as error:
            if code(error) != "NoSuchEntity":
                raise
            return ""
    return found[0] if len(found) == 1 else ""


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
        keys = access_keys.listed(client, wanted.user)
        held = read_held(wanted.secret_file, wanted.user)
        as_wanted = replace(held, generation=wanted.generation) if held else None
        spare = bool(_plan(client, wanted, as_wanted).delete_last)
    words = _key_in_words(keys, held, spare=spare)
    return IdentityState(found, words, held.key.access_key_id if held else "")


def remove_identity(connection: Connection, user: str, secret_file: Path) -> None:
    """Delete the user with its keys and policies, then the kept secret; what is gone already is no fault."""
    client = iam(connection, administrator(connection))
    with explained(f"removing identity {user}", connection):
        try:
            for key in access_keys.listed(client, user):
                access_keys.end(client, user, key.access_key_id)
            for name in client.list_user_policies(UserName=user)["PolicyNames"]:
                client.delete_user_policy(UserName=user, PolicyName=name)
            client.delete_user(UserName=user)
        except ClientError as error:
            if code(error) != "NoSuchEntity":
                raise
    # After a fleet was renamed the successor's key may already lie in the same file: that one stays.
    for path in access_keys.files(secret_file):
        if read_held(path, user):
            secrets.remove(path)


def _ensure_user(client: IAMClient, user: str, path: str) -> None:
    try:
        found = client.get_user(UserName=user)["User"].get("Path", "")
    except ClientError as error:
        if code(error) != "NoSuchEntity":
            raise
        client.create_user(UserName=user, Path=path)
        return
    if found not in {path, PATH}:
        raise StoreError(
            f"the store has a user {user} that this fleet did not make (its path is {found or '/'}, not {path})",
            next_step="give the fleet another name, or remove that user if nobody needs it",
        )


def _ensure_policies(client: IAMClient, wanted: Wanted) -> None:
    for name, document in wanted.policies.items():
        client.put_user_policy(UserName=wanted.user, PolicyName=name, PolicyDocument=document)
    for name in client.list_user_policies(UserName=wanted.user)["PolicyNames"]:
        if name not in wanted.policies:
            client.delete_user_policy(UserName=wanted.user, PolicyName=name)


def _plan(client: IAMClient, wanted: Wanted, held: Held | None) -> KeyPlan:
    places = (access_keys.pending(wanted.secret_file), access_keys.leaving(wanted.secret_file))
    beside = (read_held(path, wanted.user) for path in places)
    spared = {one.key.access_key_id for one in beside if one}
    keys = access_keys.listed(client, wanted.user)
    return plan_keys(keys, held, wanted.generation, on_host=wanted.on_host, spared=spared)


def _make_key(client: IAMClient, connection: Connection, wanted: Wanted, stays: str) -> Held:
    """Make a key, prove it, keep it. A key that cannot be proven is taken back and the old one goes on working."""
    made = Held(wanted.user, wanted.generation, access_keys.make(client, wanted.user))
    if not _proven(connection, made, wanted):
        access_keys.end(client, wanted.user, made.key.access_key_id)
        raise StoreError(
            f"the new key of {wanted.user} does not work; it was deleted again, the old one was not touched",
            usually="the S3 endpoint and the IAM endpoint do not belong to the same store",
            next_step="check cloud.onprem.endpoint and cloud.onprem.iam_endpoint, then run the same command again",
        )
    if wanted.on_host and stays:
        old = read_held(wanted.secret_file, wanted.user)
        known = old if old and old.key.access_key_id == stays else Held(wanted.user, 0, Key(stays, NO_SECRET))
        access_keys.keep(access_keys.leaving(wanted.secret_file), known)
    access_keys.keep(wanted.secret_file, made)
    return made


def _proven(connection: Connection, held: Held, wanted: Wanted) -> bool:
    return access_keys.proven(connection, held.key, wanted.bucket, wanted.prefix)


def _key_in_words(listed: list[Listed], held: Held | None, *, spare: bool) -> str:
    if held is None:
        return "its secret is not on this controller"
    found = {key.access_key_id: key for key in listed}
    if held.key.access_key_id not in found:
        return "deleted at the store"
    if not found[held.key.access_key_id].active:
        return "inactive at the store"
    if spare:
        return "active, and another key beside it"
    return ACTIVE
