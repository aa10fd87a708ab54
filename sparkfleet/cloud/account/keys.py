"""A name and a policy → a KMS key that AWS rotates, and what marks a resource as one that holds data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_aws as aws
from pulumi import ResourceOptions

if TYPE_CHECKING:
    import pulumi

KEY_DELETION_DAYS = 30  # the longest that AWS grants to notice a mistake


def stateful(opts: ResourceOptions) -> ResourceOptions:
    """`opts` for what holds data: `pulumi destroy` refuses to touch it, and even unprotected it outlives the stack."""
    return ResourceOptions.merge(opts, ResourceOptions(protect=True, retain_on_delete=True))


def key(name: str, alias: str, description: str, policy: pulumi.Output[str], opts: ResourceOptions) -> aws.kms.Key:
    """A key that is rotated every year, with an alias that people can read; `name` is part of the stack's state."""
    made = aws.kms.Key(
        name,
        description=description,
        enable_key_rotation=True,
        deletion_window_in_days=KEY_DELETION_DAYS,
        policy=policy,
        opts=stateful(opts),
    )
    aws.kms.Alias(name, name=f"alias/{alias}", target_key_id=made.id, opts=opts)
    return made
