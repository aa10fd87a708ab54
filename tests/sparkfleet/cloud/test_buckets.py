"""A bucket's life on a real store: versioned, drifted, kept while it holds anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sparkfleet.cloud import contents, objectstore, onprem, policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.cloud.objectstore import Connection
    from sparkfleet.model import Fleet


@pytest.fixture
def inputs(fleet: Fleet, inputs_of_bucket: Callable[..., Any]) -> dict[str, Any]:
    """What Pulumi hands to the provider for the datasets bucket."""
    return dict(inputs_of_bucket(fleet, "datasets"))


@pytest.fixture
def admin(connection: Connection) -> Any:
    """An S3 client of the administrator."""
    return objectstore.s3(connection, objectstore.administrator(connection))


@pytest.fixture
def bucket(inputs: dict[str, Any]) -> str:
    """The name of a bucket that the provider made."""
    return onprem.BucketProvider().create(inputs).id


def test_what_is_overwritten_or_deleted_stays_as_a_version(bucket: str, admin: Any) -> None:
    """Two writes and a delete of one object leave both texts readable by version."""
    for body in (b"one", b"two"):
        admin.put_object(Bucket=bucket, Key="a", Body=body)
    admin.delete_object(Bucket=bucket, Key="a")

    versions = admin.list_object_versions(Bucket=bucket, Prefix="a")["Versions"]
    bodies = {
        admin.get_object(Bucket=bucket, Key="a", VersionId=version["VersionId"])["Body"].read() for version in versions
    }
    assert bodies == {b"one", b"two"}


def test_making_an_existing_bucket_again_keeps_its_objects(bucket: str, inputs: dict[str, Any], admin: Any) -> None:
    """A run after one that was killed takes the bucket over as it is."""
    admin.put_object(Bucket=bucket, Key="a", Body=b"kept")

    onprem.BucketProvider().create(inputs)

    assert admin.get_object(Bucket=bucket, Key="a")["Body"].read() == b"kept"


def _suspend(admin: Any, bucket: str) -> None:
    admin.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


def _retag(admin: Any, bucket: str) -> None:
    admin.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "fleet", "Value": "other"}]})


def _open_policy(admin: Any, bucket: str) -> None:
    opened = policies.tls_only(policies.bucket_arn(bucket))
    opened["Statement"][0]["Effect"] = "Allow"
    admin.put_bucket_policy(Bucket=bucket, Policy=policies.canonical(opened))


@pytest.mark.parametrize(("named", "drift"), [("versioning", _suspend), ("policy", _open_policy), ("tags", _retag)])
def test_what_was_changed_by_hand_is_named_and_put_back(
    bucket: str, inputs: dict[str, Any], admin: Any, named: str, drift: Callable[[Any, str], None]
) -> None:
    """Suspended versioning, a policy and tags from elsewhere show under their own name, and update mends them."""
    provider = onprem.BucketProvider()
    drift(admin, bucket)

    seen = provider.read(bucket, dict(inputs))
    assert {key for key in inputs if seen.inputs[key] != inputs[key]} == {named}
    assert provider.diff(bucket, seen.outs, inputs).changes

    outputs = provider.update(bucket, seen.outs, inputs).outs
    assert provider.read(bucket, dict(outputs)).inputs == inputs
    assert not provider.diff(bucket, outputs, inputs).changes


def test_a_described_policy_is_not_taken_for_drift(bucket: str, fleet: Fleet, inputs: dict[str, Any]) -> None:
    """What the store gives back of our own policy equals what was described."""
    described = inputs | contents.buckets(fleet, tls=True)["datasets"]
    outputs = onprem.BucketProvider().update(bucket, inputs, described).outs

    assert onprem.BucketProvider().read(bucket, dict(outputs)).inputs == described


def _object(admin: Any, bucket: str) -> None:
    admin.put_object(Bucket=bucket, Key="a", Body=b"x")


def _only_versions(admin: Any, bucket: str) -> None:
    _object(admin, bucket)
    admin.delete_object(Bucket=bucket, Key="a")


def _unfinished_upload(admin: Any, bucket: str) -> None:
    admin.create_multipart_upload(Bucket=bucket, Key="a")


@pytest.mark.parametrize("fill", [_object, _only_versions, _unfinished_upload])
def test_a_bucket_with_data_is_never_deleted(
    bucket: str,
    inputs: dict[str, Any],
    admin: Any,
    capsys: pytest.CaptureFixture[str],
    fill: Callable[[Any, str], None],
) -> None:
    """Objects, old versions alone and unfinished uploads alone keep the bucket, and the message names it."""
    fill(admin, bucket)

    onprem.BucketProvider().delete(bucket, inputs)

    assert admin.head_bucket(Bucket=bucket)
    assert f"{bucket} holds data and was kept" in capsys.readouterr().out


def test_an_empty_bucket_is_deleted_and_leaves_the_state(bucket: str, inputs: dict[str, Any], admin: Any) -> None:
    """An empty bucket goes, a second delete finds nothing to do, and read() then gives an empty id."""
    provider = onprem.BucketProvider()
    provider.delete(bucket, inputs)
    provider.delete(bucket, inputs)

    with pytest.raises(ClientError, match="404"):
        admin.head_bucket(Bucket=bucket)
    assert provider.read(bucket, dict(inputs)).id == ""


def test_another_name_is_another_bucket(inputs: dict[str, Any]) -> None:
    """Only the name replaces a bucket; every other input is an update in place."""
    provider = onprem.BucketProvider()
    replaced = {key: provider.diff("id", inputs, inputs | {key: "changed"}).replaces for key in inputs}

    assert {key for key, names in replaced.items() if names} == {"bucket"}
    assert all(provider.diff("id", inputs, inputs | {key: "changed"}).changes for key in inputs)
