"""Fleet → the bucket and the key of its Pulumi state in an AWS account, apart from what that state describes. Mocked.

State: the type token and the logical name `state` are part of the bootstrap stack's state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from sparkfleet.cloud import policies, state_access
from sparkfleet.cloud.account.buckets import ProtectedBucket
from sparkfleet.cloud.account.keys import key
from sparkfleet.cloud.account.lifecycle import rules
from sparkfleet.cloud.account.permissions import Owner
from sparkfleet.cloud.gate import Gate

if TYPE_CHECKING:
    from pulumi_aws.s3 import BucketLifecycleConfigurationRuleArgsDict as Rule

    from sparkfleet.clouds import Aws
    from sparkfleet.model import Fleet

HISTORY: Rule = {
    "id": "end-older-versions",
    "status": "Enabled",
    "filter": {"prefix": ""},
    "noncurrent_version_expiration": {"noncurrent_days": 365},  # a year of `pulumi up` can be looked at and put back
    "expiration": {"expired_object_delete_marker": True},
}


class StateAccount(pulumi.ComponentResource):
    """A bucket that is versioned, encrypted with a key of its own and closed to every host; both outlive the stack."""

    operator_policy: Output[str]
    """To attach to whoever runs `pulumi up`, unless an administrator does."""

    def __init__(self, fleet: Fleet, where: Aws, opts: ResourceOptions | None = None) -> None:
        """Register everything below one component named after the fleet."""
        judged = ResourceOptions.merge(opts or ResourceOptions(), ResourceOptions(transformations=[Gate()]))
        super().__init__("sparkfleet:cloud:StateAccount", fleet.fleet, None, judged)
        tags = {**fleet.cloud.tags, "project": "sparkfleet", "fleet": fleet.fleet}
        provider = aws.Provider(
            "aws", region=where.region, default_tags={"tags": tags}, opts=ResourceOptions(parent=self)
        )
        own = ResourceOptions(parent=self, provider=provider)
        caller = aws.get_caller_identity_output(opts=pulumi.InvokeOptions(provider=provider, parent=self))
        owner = caller.arn.apply(lambda arn: Owner.of(arn, where.region))
        administration = owner.apply(lambda it: policies.canonical(policies.key_administration(it.root)))
        described = f"sparkfleet {fleet.fleet}: the Pulumi state and its secrets"
        made = key(state_access.STATE, state_access.alias(fleet), described, administration, own)
        kept = ProtectedBucket(
            state_access.STATE,
            fleet.bucket(state_access.STATE),
            lambda arn: Output.all(arn, made.arn, owner).apply(lambda known: _policy(fleet, *known)),
            ResourceOptions(parent=self, providers={"aws": provider}),
            key_arn=made.arn,
            rules=[*rules(state_access.STATE, where.log_retention_days), HISTORY],
        )
        self.operator_policy = Output.all(kept.bucket.arn, made.arn).apply(
            lambda arns: policies.canonical(state_access.operator_access(arns[0], arns[1], where.region))
        )
        self.register_outputs({"bucket": kept.bucket.bucket})


def _policy(fleet: Fleet, arn: str, key_arn: str, owner: Owner) -> str:
    """The roles of the fleet are kept out by name: an allowance that somebody adds later does not let them in."""
    roles = [f"arn:{owner.partition}:iam::{owner.account}:role/{fleet.fleet}-{role}" for role in ("hosts", "calypso")]
    return policies.canonical(state_access.bucket_policy(arn, key_arn=key_arn, shut_out=roles))
