"""What a store cannot do: each ability tried on the real one, and said in words where the description asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sparkfleet.cloud import objectstore, policies
from sparkfleet.cloud.capabilities import CAN, Ability, lacks
from sparkfleet.model import Fleet

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.cloud.objectstore import Connection

    Try = Callable[[Any, str], object]

NOT_THERE = {"NotImplemented", "MalformedPolicy", "NoSuchObjectLockConfiguration", "MethodNotAllowed"}
DAY = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
ABORT = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}} | {
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}
}
CLOSED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)


def _lock(s3: Any, bucket: str) -> None:
    lock = {"ObjectLockEnabled": "Enabled", "Rule": DAY}
    s3.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=lock)
    version = s3.put_object(Bucket=bucket, Key="locked", Body=b"x")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key="locked", VersionId=version)


def _stamped_lock(s3: Any, bucket: str) -> None:
    version = s3.put_object(Bucket=bucket, Key="stamped", Body=b"x")["VersionId"]
    s3.get_object_retention(Bucket=bucket, Key="stamped", VersionId=version)


def _encryption(s3: Any, bucket: str) -> None:
    rules = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})


def _storage_class(s3: Any, bucket: str) -> bool:
    s3.put_object(Bucket=bucket, Key="cold", Body=b"x", StorageClass="GLACIER_IR")
    return s3.head_object(Bucket=bucket, Key="cold").get("StorageClass") == "GLACIER_IR"


def _inventory(s3: Any, bucket: str) -> None:
    where = {"S3BucketDestination": {"Bucket": policies.bucket_arn(bucket), "Format": "CSV"}}
    weekly = {"Id": "i", "IsEnabled": True, "IncludedObjectVersions": "All", "Schedule": {"Frequency": "Weekly"}}
    s3.put_bucket_inventory_configuration(Bucket=bucket, Id="i", InventoryConfiguration=weekly | {"Destination": where})


def _conditional(s3: Any, bucket: str) -> None:
    document = policies.audit_bucket(policies.bucket_arn(bucket), tls=False, conditional=True)
    s3.put_bucket_policy(Bucket=bucket, Policy=policies.canonical(document))


TRIES: dict[Ability, Try] = {
    Ability.TAGS: lambda s3, bucket: s3.put_bucket_tagging(
        Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
    ),
    Ability.OBJECT_LOCK: _lock,
    Ability.STAMPED_LOCK: _stamped_lock,
    Ability.CONDITIONAL_WRITES: _conditional,
    Ability.ENCRYPTION: _encryption,
    Ability.LIFECYCLE: lambda s3, bucket: s3.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": [ABORT]}
    ),
    Ability.PUBLIC_ACCESS_BLOCK: lambda s3, bucket: s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration=CLOSED
    ),
    Ability.ACCESS_LOGS: lambda s3, bucket: s3.put_bucket_logging(
        Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": bucket, "TargetPrefix": "logs/"}}
    ),
    Ability.INVENTORY: _inventory,
    Ability.STORAGE_CLASSES: _storage_class,
}
"""TLS is told by the address; sessions are another service, which no store of this kind has."""


def test_the_list_says_what_the_real_store_does(connection: Connection) -> None:
    """Every ability is tried on versitygw: one that is refused, or forgotten in silence, it cannot do.

    A version that learned something fails here: then the description can be brought to it, and the list with it.
    """
    s3, bucket = objectstore.s3(connection, objectstore.administrator(connection)), "able"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    can = set()
    for ability, attempt in TRIES.items():
        try:
            if attempt(s3, bucket) is not False:
                can.add(ability)
        except ClientError as error:
            if objectstore.code(error) not in NOT_THERE:
                raise

    assert can == CAN["versitygw"]
    assert {*TRIES, Ability.TLS, Ability.SESSIONS} == {*Ability}


def fleet_in(endpoint: str, **cloud: Any) -> Fleet:
    """A fleet whose store listens there."""
    where = {"endpoint": endpoint, "iam_endpoint": endpoint, "admin": "env:ADMIN"}
    return Fleet.model_validate(
        {
            "fleet": "lab",
            "hosts": {"spark-01": {"addresses": ["192.0.2.1"]}},
            "cloud": {"provider": "onprem", "onprem": where, **cloud},
        }
    )


def test_what_a_store_lacks_is_said_as_far_as_it_is_asked_for() -> None:
    """Clear text is told by the address, a lock that ends together only where models are to be locked."""
    plain, careful = lacks(fleet_in("http://s:1")), lacks(fleet_in("https://s:1", models_locked_days=0))

    assert {*plain} - {*careful} == {Ability.TLS, Ability.STAMPED_LOCK}
    assert Ability.LIFECYCLE in careful


def test_without_a_store_on_the_premises_nothing_is_lacking() -> None:
    """An account does all of it, and no store is asked for nothing."""
    fleet = fleet_in("http://s:1")
    elsewhere = fleet.model_copy(update={"cloud": fleet.cloud.model_copy(update={"provider": "none"})})

    assert lacks(elsewhere) == []
