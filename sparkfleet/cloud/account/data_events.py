"""The fleet's buckets → a trail of every request for one of their objects: who, what, when, refused or not.

Costs by the request, so it is a switch (`cloud.aws.data_events`). State: the type token and logical names below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws
from pulumi import Output, ResourceOptions

from sparkfleet.cloud.account.permissions import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparkfleet.cloud.account.buckets import ProtectedBucket


class DataEvents(pulumi.ComponentResource):
    """A trail that lies in the bucket for logs, encrypted, with digests by which a removed file is noticed."""

    def __init__(
        self,
        fleet: str,
        seen: Iterable[ProtectedBucket],
        logs: ProtectedBucket,
        key: aws.kms.Key,
        opts: ResourceOptions,
    ) -> None:
        """Register the trail of requests to the objects of `seen`; those of `logs` itself would tell of the telling."""
        super().__init__("sparkfleet:cloud:DataEvents", f"{fleet}-data-events", None, opts)
        objects = [Output.concat(each.bucket.arn, "/") for each in seen]
        aws.cloudtrail.Trail(
            "requests",
            name=f"{fleet}-requests",
            s3_bucket_name=logs.bucket.id,
            s3_key_prefix=REQUESTS,
            kms_key_id=key.arn,
            enable_log_file_validation=True,
            is_multi_region_trail=True,
            include_global_service_events=True,  # AWS wants it of a trail of all regions
            advanced_event_selectors=[
                {
                    "name": "Requests for the fleet's objects",
                    "field_selectors": [
                        {"field": "eventCategory", "equals": ["Data"]},
                        {"field": "resources.type", "equals": ["AWS::S3::Object"]},
                        {"field": "resources.ARN", "starts_withs": objects},
                    ],
                }
            ],
            # CloudTrail tries at once whether it may write there.
            opts=ResourceOptions(parent=self, depends_on=[logs.policy]),
        )
        self.register_outputs({})
