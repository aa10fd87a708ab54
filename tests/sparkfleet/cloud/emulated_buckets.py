"""A bucket or one of its parts as the mocked engine is asked for it → the calls to S3 that make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sparkfleet.cloud.emulated import Aws

Properties = dict[str, Any]
INITIALS = {"id": "ID", "sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID", "sseS3": "SSES3"}


def pascal(value: Any) -> Any:
    """Properties in the interface's spelling."""
    if isinstance(value, dict):
        return {INITIALS.get(key, key[:1].upper() + key[1:]): pascal(part) for key, part in value.items()}
    return [pascal(part) for part in value] if isinstance(value, list) else value


def bucket(aws: Aws, p: Properties) -> None:
    """The bucket itself, with object lock from the start where it is asked for."""
    place = {"LocationConstraint": aws.client("s3").meta.region_name}
    lock = {"ObjectLockEnabledForBucket": True} if p.get("objectLockEnabled") else {}
    aws.client("s3").create_bucket(Bucket=p["bucket"], CreateBucketConfiguration=place, **lock)
    tags = [{"Key": key, "Value": value} for key, value in p.get("tags", {}).items()]
    aws.client("s3").put_bucket_tagging(Bucket=p["bucket"], Tagging={"TagSet": tags})


def on_bucket(operation: str, body: str, key: str = "") -> Callable[[Aws, Properties], None]:
    """A setting of a bucket: the property `key`, or all of them, as the argument `body` of `operation`."""

    def call(aws: Aws, p: Properties) -> None:
        settings = p[key] if key else {name: value for name, value in p.items() if name != "bucket"}
        getattr(aws.client("s3"), operation)(Bucket=p["bucket"], **{body: pascal(settings)})

    return call


def rules_of_bucket(operation: str, body: str) -> Callable[[Aws, Properties], None]:
    """A setting of a bucket that is a list of rules."""

    def call(aws: Aws, p: Properties) -> None:
        getattr(aws.client("s3"), operation)(Bucket=p["bucket"], **{body: {"Rules": pascal(p["rules"])}})

    return call


def policy_of_bucket(aws: Aws, p: Properties) -> None:
    """Its text goes as it is."""
    aws.client("s3").put_bucket_policy(Bucket=p["bucket"], Policy=p["policy"])


def ownership(aws: Aws, p: Properties) -> None:
    """Who owns objects."""
    aws.client("s3").put_bucket_ownership_controls(Bucket=p["bucket"], OwnershipControls={"Rules": [pascal(p["rule"])]})


def lock(aws: Aws, p: Properties) -> None:
    """For how long nobody deletes."""
    settings = {"ObjectLockEnabled": "Enabled", "Rule": pascal(p["rule"])}
    aws.client("s3").put_object_lock_configuration(Bucket=p["bucket"], ObjectLockConfiguration=settings)


def access_log(aws: Aws, p: Properties) -> None:
    """Where the access log goes."""
    target = {"TargetBucket": p["targetBucket"], "TargetPrefix": p["targetPrefix"]}
    aws.client("s3").put_bucket_logging(Bucket=p["bucket"], BucketLoggingStatus={"LoggingEnabled": target})


def inventory(aws: Aws, p: Properties) -> None:
    """The weekly list."""
    place = p["destination"]["bucket"]
    target = pascal({key: value for key, value in place.items() if key != "bucketArn"})
    target |= {"Bucket": place["bucketArn"]}
    aws.client("s3").put_bucket_inventory_configuration(
        Bucket=p["bucket"],
        Id=p["name"],
        InventoryConfiguration={
            "Id": p["name"],
            "IsEnabled": True,
            "IncludedObjectVersions": p["includedObjectVersions"],
            "Schedule": pascal(p["schedule"]),
            "OptionalFields": p["optionalFields"],
            "Destination": {"S3BucketDestination": target},
        },
    )


CALLS: dict[str, Callable[[Aws, Properties], object]] = {
    "aws:s3/bucket:Bucket": bucket,
    "aws:s3/bucketVersioning:BucketVersioning": on_bucket(
        "put_bucket_versioning", "VersioningConfiguration", "versioningConfiguration"
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": rules_of_bucket(
        "put_bucket_encryption", "ServerSideEncryptionConfiguration"
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": ownership,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": on_bucket(
        "put_public_access_block", "PublicAccessBlockConfiguration"
    ),
    "aws:s3/bucketPolicy:BucketPolicy": policy_of_bucket,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": rules_of_bucket(
        "put_bucket_lifecycle_configuration", "LifecycleConfiguration"
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": lock,
    "aws:s3/bucketLogging:BucketLogging": access_log,
    "aws:s3/inventory:Inventory": inventory,
}
