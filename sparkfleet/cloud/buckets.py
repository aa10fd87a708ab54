"""A bucket's description → the bucket brought to it, observed, and removed when it is empty; names that are taken.

Every function can be run again after a kill at any point. What a store refuses becomes a StoreError. What a kind of
store cannot do is not tried: `capabilities` says it beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sparkfleet.cloud import policies
from sparkfleet.cloud.identities import PATH
from sparkfleet.cloud.objectstore import Connection, administrator, code, explained, iam, s3
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_s3 import S3Client

ENABLED = "Enabled"
UNLOCKED = "none"
PROJECT, FLEET = "project", "fleet"
"""The tags by which a bucket is known as a fleet's own."""


@dataclass(frozen=True)
class BucketState:
    """What a bucket is like: `versioning` is Enabled, Suspended or "" (never on); `policy` is canonical or "".

    `retention` is what object lock does with new objects: "COMPLIANCE 365 days", "none", or "" without object lock.
    """

    versioning: str
    policy: str
    retention: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


def ensure_bucket(connection: Connection, name: str, wanted: BucketState) -> None:
    """Make bucket `name` exist and be as wanted; what is in it stays. Raises StoreError when the store refuses."""
    client = s3(connection, administrator(connection))
    with explained(f"making bucket {name}", connection):
        try:
            client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=bool(wanted.retention))
        except ClientError as error:
            if code(error) != "BucketAlreadyOwnedByYou":
                raise
        # First of all: a run that is killed after it leaves a bucket that is known as this fleet's.
        if wanted.tags != _tags(client, name):
            _set_tags(client, name, wanted.tags)
        if wanted.retention:
            _ensure_retention(client, name, wanted.retention)
        elif wanted.versioning == ENABLED:  # object lock brings versioning with it
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if wanted.policy:
            client.put_bucket_policy(Bucket=name, Policy=wanted.policy)
        else:
            client.delete_bucket_policy(Bucket=name)


def observe_bucket(connection: Connection, name: str) -> BucketState | None:
    """What bucket `name` is like, or None when there is none. Raises StoreError when the store does not answer."""
    client = s3(connection, administrator(connection))
    with explained(f"looking at bucket {name}", connection):
        try:
            versioning = client.get_bucket_versioning(Bucket=name).get("Status", "")
        except ClientError as error:
            if code(error) == "NoSuchBucket":
                return None
            raise
        try:
            policy = policies.canonical(client.get_bucket_policy(Bucket=name)["Policy"])
        except ClientError as error:
            if code(error) != "NoSuchBucketPolicy":
                raise
            policy = ""
        return BucketState(versioning, policy, _retention(client, name), _tags(client, name))


def remove_empty_bucket(connection: Connection, name: str) -> bool:
    """Delete bucket `name` if it never held anything that is still there; True when it is gone.

    Objects, old versions, delete markers and unfinished uploads all count as data: then nothing is deleted.
    Raises StoreError when the store refuses for another reason.
    """
    client = s3(connection, administrator(connection))
    with explained(f"removing bucket {name}", connection):
        try:
            # versitygw 1.8.0 deletes a bucket together with its unfinished uploads, so they are asked for first.
            if client.list_multipart_uploads(Bucket=name, MaxUploads=1).get("Uploads"):
                return False
            client.delete_bucket(Bucket=name)  # the store itself refuses while it holds anything: no race here
        except ClientError as error:
            if code(error) == "BucketNotEmpty":
                return False
            if code(error) != "NoSuchBucket":
                raise
    return True


def refuse_taken(connection: Connection, names: Iterable[str], fleet: str, user: str) -> None:
    """Raise one StoreError that names every bucket of `names` that is somebody else's; make and change nothing.

    The fleet's own are known by their tags. One without tags may be taken when it is empty, or when the store has our
    `user` already: earlier versions did not tag.
    """
    client, mine = s3(connection, administrator(connection)), {PROJECT: "sparkfleet", FLEET: fleet}
    with explained("looking for names that are taken", connection):
        known = _known(connection, user)
        strange = [name for name in names if _strange(client, name, mine, known=known)]
    if strange:
        raise StoreError(
            f"bucket names that are taken: {', '.join(sorted(strange))}; nothing was made",
            usually="another fleet or program of this store has them",
            next_step="give the fleet another name: buckets begin with it. If they are this fleet's, tag them "
            f"{PROJECT}=sparkfleet and {FLEET}={fleet}",
        )


def _strange(client: S3Client, name: str, mine: Mapping[str, str], *, known: bool) -> bool:
    try:
        tags = _tags(client, name)
        if not tags:
            return not known and _holds_data(client, name)
    except ClientError as error:
        if code(error) in {"AccessDenied", "403"}:  # the administrator may do all but with what another owner has
            return True
        if code(error) != "NoSuchBucket":
            raise
        return False
    return any(tags.get(key) != value for key, value in mine.items())


def _holds_data(client: S3Client, name: str) -> bool:
    found = client.list_object_versions(Bucket=name, MaxKeys=1)
    uploads = client.list_multipart_uploads(Bucket=name, MaxUploads=1)
    return any((found.get("Versions"), found.get("DeleteMarkers"), uploads.get("Uploads")))


def _known(connection: Connection, user: str) -> bool:
    """Whether an earlier version made the user: those that are made now lie deeper, and their buckets have tags."""
    try:
        found = iam(connection, administrator(connection)).get_user(UserName=user)
    except ClientError as error:
        if code(error) == "NoSuchEntity":
            return False
        raise
    return found["User"].get("Path") == PATH


def _tags(client: S3Client, name: str) -> dict[str, str]:
    try:
        return {tag["Key"]: tag["Value"] for tag in client.get_bucket_tagging(Bucket=name)["TagSet"]}
    except ClientError as error:
        if code(error) in {"NoSuchTagSet", "NotImplemented"}:
            return {}
        raise


def _set_tags(client: S3Client, name: str, tags: Mapping[str, str]) -> None:
    if tags:
        pairs: Any = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs})
    else:
        client.delete_bucket_tagging(Bucket=name)


def _ensure_retention(client: S3Client, name: str, wanted: str) -> None:
    """Set what object lock does with new objects. Objects that are there keep what they were given.

    A bucket that was made without object lock gets it, unless its lock is to be COMPLIANCE: what is in it could be
    changed, and that is what the audit log is there to exclude.
    """
    found = _retention(client, name)
    if not found and wanted.startswith("COMPLIANCE"):
        raise StoreError(
            f"bucket {name} exists without object lock: what is in it can be changed and deleted",
            usually="it was made by hand, or by something else than this project",
            next_step=f"move what it holds elsewhere and delete the bucket, or give the fleet another name; {name} is "
            "then made with object lock",
        )
    if not found:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if found != wanted:
        lock: Any = {"ObjectLockEnabled": "Enabled"}
        if wanted != UNLOCKED:
            mode, days, _ = wanted.split()
            lock["Rule"] = {"DefaultRetention": {"Mode": mode, "Days": int(days)}}
        client.put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=lock)


def _retention(client: S3Client, name: str) -> str:
    """What object lock does with new objects, as BucketState says it."""
    try:
        lock = client.get_object_lock_configuration(Bucket=name).get("ObjectLockConfiguration", {})
    except ClientError as error:
        if code(error) in {"ObjectLockConfigurationNotFoundError", "NotImplemented"}:
            return ""
        raise
    rule: Mapping[str, Any] = lock.get("Rule", {}).get("DefaultRetention", {})
    for unit in ("Days", "Years"):
        if rule.get(unit):
            return f"{rule['Mode']} {rule[unit]} {unit.lower()}"
    return UNLOCKED
