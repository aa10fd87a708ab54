"""A bucket's name and what it is for → that bucket in an AWS account, with everything that protects it.

State: the type tokens and logical names below are part of the stack's state, and so are the inputs of `Bucket` that
make another bucket of it when they change (`bucket`, `object_lock_enabled`): tests/sparkfleet/cloud/test_aws_state.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from sparkfleet.cloud.account.keys import stateful
from sparkfleet.cloud.account.permissions import ACCESS, INVENTORY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulumi_aws.s3 import BucketLifecycleConfigurationRuleArgsDict as Rule
    from pulumi_aws.s3 import BucketServerSideEncryptionConfigurationRuleArgsDict as Encryption


@dataclass(frozen=True)
class Lock:
    """How long nobody deletes or changes an object; GOVERNANCE yields to a right of its own, COMPLIANCE to nobody."""

    mode: Literal["COMPLIANCE", "GOVERNANCE"]
    days: int
    from_birth: bool = False
    """Whether the bucket was made with object lock. A bucket that exists already gets it later; making another bucket
    of it, which `object_lock_enabled` would, loses the data."""


class ProtectedBucket(pulumi.ComponentResource):
    """A bucket that is versioned, encrypted, closed to the public and to what its policy refuses."""

    bucket: aws.s3.Bucket
    policy: aws.s3.BucketPolicy

    def __init__(  # noqa: PLR0913  (what a bucket is)
        self,
        name: str,
        bucket: str,
        policy: Callable[[Output[str]], Output[str]],
        opts: ResourceOptions,
        *,
        key_arn: Output[str] | None = None,
        rules: Sequence[Rule] = (),
        lock: Lock | None = None,
        logs: ProtectedBucket | None = None,
        inventory: bool = True,
    ) -> None:
        """Register bucket `bucket` and what protects it, all named `name`.

        `policy`: the bucket's ARN → its policy. Without `key_arn` S3's own key encrypts. `logs`: the bucket that takes
        its access logs and, with `inventory`, a weekly list of every version in it.
        """
        super().__init__("sparkfleet:cloud:ProtectedBucket", name, None, opts)
        self._name = name
        self._child = ResourceOptions(parent=self)
        self.bucket = aws.s3.Bucket(
            name,
            bucket=bucket,
            force_destroy=False,
            object_lock_enabled=True if lock and lock.from_birth else None,
            tags={"purpose": name},  # beside the provider's: what a bill is told apart by
            opts=stateful(self._child),
        )
        self._keep_history(rules, lock)
        self._encrypt(key_arn)
        self.policy = self._close(policy)
        if logs:
            self._tell(logs, inventory=inventory)
        self.register_outputs({"bucket": self.bucket.bucket})

    def _keep_history(self, rules: Sequence[Rule], lock: Lock | None) -> None:
        versioning = aws.s3.BucketVersioning(
            self._name,
            bucket=self.bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=self._child,
        )
        after_versioning = ResourceOptions(parent=self, depends_on=[versioning])
        if rules:
            aws.s3.BucketLifecycleConfiguration(
                self._name, bucket=self.bucket.id, rules=list(rules), opts=after_versioning
            )
        if lock:
            aws.s3.BucketObjectLockConfiguration(
                self._name,
                bucket=self.bucket.id,
                rule={"default_retention": {"mode": lock.mode, "days": lock.days}},
                opts=after_versioning,
            )

    def _encrypt(self, key_arn: Output[str] | None) -> None:
        rule: Encryption = {
            "apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"},
            "bucket_key_enabled": False,
        }
        if key_arn:
            rule = {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key_arn},
                # One KMS request a bucket and day instead of one an object.
                "bucket_key_enabled": True,
            }
        aws.s3.BucketServerSideEncryptionConfiguration(
            self._name, bucket=self.bucket.id, rules=[rule], opts=self._child
        )

    def _close(self, policy: Callable[[Output[str]], Output[str]]) -> aws.s3.BucketPolicy:
        aws.s3.BucketOwnershipControls(
            self._name, bucket=self.bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=self._child
        )
        closed = aws.s3.BucketPublicAccessBlock(
            self._name,
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        # S3 answers "conflicting operation" when policy and access block are put at the same time.
        after_closing = ResourceOptions(parent=self, depends_on=[closed])
        return aws.s3.BucketPolicy(
            self._name, bucket=self.bucket.id, policy=policy(self.bucket.arn), opts=after_closing
        )

    def _tell(self, logs: ProtectedBucket, *, inventory: bool) -> None:
        # S3 tries at once whether it may write there: the policy that lets it must stand before.
        allowed = ResourceOptions(parent=self, depends_on=[logs.policy])
        aws.s3.BucketLogging(
            self._name,
            bucket=self.bucket.id,
            target_bucket=logs.bucket.id,
            target_prefix=f"{ACCESS}/{self._name}/",
            opts=allowed,
        )
        if inventory:
            aws.s3.Inventory(
                self._name,
                bucket=self.bucket.id,
                name="weekly",
                included_object_versions="All",
                schedule={"frequency": "Weekly"},
                optional_fields=["Size", "LastModifiedDate", "StorageClass", "EncryptionStatus"],
                destination={
                    "bucket": {
                        "bucket_arn": logs.bucket.arn,
                        "format": "Parquet",
                        "prefix": INVENTORY,
                        "encryption": {"sse_s3": {}},
                    }
                },
                opts=allowed,
            )
