"""What a host may not do beside the table of decisions, refused by a store that enforces the policy: real requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sparkfleet.cloud import objectstore, policies

Request = Callable[[Any, str, str], Any]

PUT: Request = lambda s3, bucket, key: s3.put_object(Bucket=bucket, Key=key, Body=b"by the host")  # noqa: E731
GET: Request = lambda s3, bucket, key: s3.get_object(Bucket=bucket, Key=key)["Body"].read()  # noqa: E731
DELETE: Request = lambda s3, bucket, key: s3.delete_object(Bucket=bucket, Key=key)  # noqa: E731
LIST: Request = lambda s3, bucket, key: s3.list_objects_v2(Bucket=bucket, Prefix=key)  # noqa: E731
VERSIONS: Request = lambda s3, bucket, key: s3.list_object_versions(Bucket=bucket, Prefix=key)  # noqa: E731

REFUSED = [
    (LIST, "datasets", "hosts/"),
    (LIST, "datasets", "hosts/spark-0"),
    (LIST, "datasets", ""),
    (GET, "datasets", "hosts/spark-011/a"),
    (VERSIONS, "datasets", "hosts/spark-01/"),
    (lambda s3, bucket, _key: s3.get_bucket_policy(Bucket=bucket), "datasets", "bucket policy"),
    (lambda s3, bucket, _key: s3.get_bucket_tagging(Bucket=bucket), "datasets", "tags"),
    (lambda s3, bucket, _key: s3.delete_bucket(Bucket=bucket), "models", "delete bucket"),
    (lambda s3, bucket, _key: s3.create_bucket(Bucket=bucket + "-own"), "models", "create bucket"),
]


@pytest.fixture
def filled(provisioned: Any) -> Any:
    """One object behind every prefix that the tables name, put there by the administrator."""
    admin = provisioned.admin()
    for prefix in ("hosts/spark-01/", "hosts/spark-02/", "hosts/spark-011/", "shared/"):
        admin.put_object(Bucket=provisioned.datasets, Key=f"{prefix}a", Body=b"by the administrator")
    admin.put_object(Bucket=provisioned.datasets, Key="elsewhere", Body=b"x")
    admin.put_object(Bucket=provisioned.models, Key="a", Body=b"x")
    return provisioned


def _decide(request: Request, s3: Any, bucket: str, key: str) -> str:
    try:
        request(s3, bucket, key)
    except ClientError as error:
        return objectstore.code(error)
    return "allowed"


def test_a_host_reaches_nothing_by_a_name_that_is_almost_its_own(filled: Any) -> None:
    """Prefixes that begin or go on as its own does, old versions, and the buckets themselves are refused."""
    s3, buckets = filled.client("spark-01"), {"datasets": filled.datasets, "models": filled.models}

    decided = [_decide(request, s3, buckets[bucket], key) for request, bucket, key in REFUSED]

    assert decided == ["AccessDenied"] * len(REFUSED)


def test_the_label_loop_writes_below_its_prefix_alone(filled: Any) -> None:
    """A host with the role puts a model there and takes its lock away, not below a prefix that begins as it does."""
    iam, s3, models = filled.iam(), filled.client("spark-01"), policies.bucket_arn(filled.models)
    access = policies.host_access(policies.bucket_arn(filled.datasets), models, "spark-01")
    document = policies.with_promotion(access, models, "calypso")
    user = f"{filled.fleet.fleet}-spark-01"
    iam.put_user_policy(UserName=user, PolicyName="host-access", PolicyDocument=json.dumps(document))
    tries = [(PUT, "calypso/contracts/1/model.onnx"), (GET, "calypso/contracts/1/model.onnx"), (LIST, "calypso/")]
    tries += [(DELETE, "calypso/contracts/lock"), (PUT, "a"), (DELETE, "a"), (PUT, "calypso-2/a")]

    decided = [_decide(request, s3, filled.models, key) for request, key in tries]

    assert decided == ["allowed"] * 4 + ["AccessDenied"] * 3


def test_a_host_cannot_destroy_history(filled: Any) -> None:
    """What a host deletes stays as a version, and the host may not delete that version."""
    s3, admin = filled.client("spark-01"), filled.admin()
    s3.delete_object(Bucket=filled.datasets, Key="hosts/spark-01/a")

    versions = admin.list_object_versions(Bucket=filled.datasets, Prefix="hosts/spark-01/a")["Versions"]
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=filled.datasets, Key="hosts/spark-01/a", VersionId=versions[0]["VersionId"])

    old = admin.get_object(Bucket=filled.datasets, Key="hosts/spark-01/a", VersionId=versions[0]["VersionId"])
    assert old["Body"].read() == b"by the administrator"


def test_one_document_for_the_fleet_gives_each_caller_its_own_prefix(filled: Any) -> None:
    """With a variable in place of the host's name each caller reaches its own prefix alone.

    The certificate variable of AWS is replaced by `${aws:username}` here: versitygw 1.8.0 substitutes no variable with
    a slash in its name.
    """
    iam, s3 = filled.iam(), filled.client("spark-01")
    user = f"{filled.fleet.fleet}-spark-01"
    document = policies.host_access(
        policies.bucket_arn(filled.datasets), policies.bucket_arn(filled.models), "${aws:username}"
    )
    iam.put_user_policy(UserName=user, PolicyName="host-access", PolicyDocument=json.dumps(document))

    decided = [
        _decide(request, s3, filled.datasets, key)
        for request, key in [
            (PUT, f"hosts/{user}/a"),
            (LIST, f"hosts/{user}/"),
            (GET, "shared/a"),
            (GET, "hosts/spark-01/a"),
            (LIST, "hosts/spark-01/"),
        ]
    ]
    assert decided == ["allowed", "allowed", "allowed", "AccessDenied", "AccessDenied"]


def test_the_certificate_variable_opens_nothing_to_a_caller_without_a_certificate(filled: Any) -> None:
    """Where the variable has no value, the fleet's document reaches no host's prefix."""
    iam, s3 = filled.iam(), filled.client("spark-01")
    document = policies.host_access(policies.bucket_arn(filled.datasets), policies.bucket_arn(filled.models))
    iam.put_user_policy(
        UserName=f"{filled.fleet.fleet}-spark-01", PolicyName="host-access", PolicyDocument=json.dumps(document)
    )

    decided = [_decide(GET, s3, filled.datasets, key) for key in ("hosts/spark-01/a", "hosts/spark-02/a", "shared/a")]

    assert decided == ["AccessDenied", "AccessDenied", "allowed"]


def test_a_tls_only_bucket_refuses_a_request_without_tls(filled: Any) -> None:
    """The same request over http is answered without the bucket policy and refused with it."""
    s3, admin = filled.client("spark-01"), filled.admin()
    before = _decide(GET, s3, filled.datasets, "shared/a")
    admin.put_bucket_policy(
        Bucket=filled.datasets, Policy=json.dumps(policies.tls_only(policies.bucket_arn(filled.datasets)))
    )

    assert (before, _decide(GET, s3, filled.datasets, "shared/a")) == ("allowed", "AccessDenied")
