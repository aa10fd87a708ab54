"""The part of the description that is about the object store and the account beside the fleet, typed.

Pure data. What concerns two fields at once is checked by `cross_checks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import AwsRegion, Described, HostName, SecretReference, matching

# The values that CloudWatch Logs knows (PutRetentionPolicy, retentionInDays); a year at least is what checkov asks for.
LogDays = Literal[30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
Mail = Annotated[str, matching(r"[^@\s,;<>\"]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "a mail address")]

# S3 user guide, "General purpose bucket naming rules"; a purpose such as -artifacts follows it.
BucketPrefix = Annotated[
    str,
    matching(
        r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9-]{2,30}",
        '3 to 31 characters a-z, 0-9 and "-", not beginning with xn--, sthree- or amzn-s3-demo-',
    ),
]
# S3 user guide, "Using cost allocation S3 bucket tags"; the prefix aws: is Amazon's own.
TagKey = Annotated[
    str, matching(r"(?!aws:)[A-Za-z0-9 +=._:/@-]{1,128}", "a tag's key: letters, digits, + - = . _ : / @")
]
TagValue = Annotated[str, matching(r"[A-Za-z0-9 +=._:/@-]{0,256}", "a tag's value: letters, digits, + - = . _ : / @")]


class Onprem(Described):
    """Any S3-compatible store with an IAM-style API."""

    store: Literal["versitygw", "other"] = Field(default="versitygw", description="tells what it cannot do")
    endpoint: str = Field(pattern=r"^https?://", description="the S3 API")
    iam_endpoint: str = Field(pattern=r"^https?://", description="the IAM API")
    region: str = "us-east-1"
    admin: SecretReference = Field(description='JSON {"access_key_id", "secret_access_key"} of the administrator')


class Aws(Described):
    """The AWS account; credentials come from the environment, as Pulumi expects them."""

    region: AwsRegion
    bucket_prefix: BucketPrefix = Field(description="bucket names are global")
    trust_bundle: Path | None = Field(
        default=None, description="PEM of an authority of your own; null: the fleet's, which the role authority runs"
    )
    workspace: bool = Field(default=False, description="make an AMP workspace; its id is an output of the stack")
    alarm_mail: list[Mail] = Field(
        default_factory=list, max_length=10, description="whom alarms and the budget tell; AWS takes ten for a budget"
    )
    log_retention_days: LogDays = Field(default=365, description="of CloudWatch log groups and access logs")
    budget_usd: int | None = Field(default=None, ge=1, description="a month, for what is tagged with the fleet")
    cost_anomaly_usd: int | None = Field(default=None, ge=1, description="tell of anomalies above; null: nobody looks")
    data_events: bool = Field(default=False, description="a trail of each request to the buckets; costs by the request")


class Cloud(Described):
    """The object store beside the fleet: on AWS, on the premises, or none."""

    provider: Literal["aws", "onprem", "none"] = "none"
    onprem: Onprem | None = None
    aws: Aws | None = None
    generations: dict[HostName, int] = Field(
        default_factory=dict,
        description="raise a host's number, or the controller's, to give it a new object-store key (default 1)",
    )
    tags: dict[TagKey, TagValue] = Field(default_factory=dict, description="on buckets, beside project and fleet")
    audit_retention_days: int = Field(
        default=365, ge=1, le=3650, description="nobody can delete a copy of an audit record before; for new records"
    )
    models_locked_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        description="a released model is not deleted before, but with a right of its own",
    )
    calypso: bool = Field(default=False, description="an identity for Calypso, which may only read the models")
