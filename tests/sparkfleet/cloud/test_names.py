"""Bucket names that somebody else has, on a real store: all told at once, before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.cloud import buckets, contents, names, objectstore, onprem
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.cloud.objectstore import Connection
    from sparkfleet.model import Fleet


@pytest.fixture
def admin(connection: Connection) -> Any:
    """An S3 client of the administrator."""
    return objectstore.s3(connection, objectstore.administrator(connection))


@pytest.fixture
def inputs(fleet: Fleet) -> dict[str, Any]:
    """What Pulumi hands to the provider of the names."""
    return {
        "names": [fleet.bucket(purpose) for purpose in contents.PURPOSES],
        "fleet": fleet.fleet,
        "user": f"{fleet.fleet}-controller",
        **onprem.where_of(fleet.cloud.onprem),
        "iam_endpoint": fleet.cloud.onprem.iam_endpoint,
    }


def _theirs(admin: Any, bucket: str, tags: dict[str, str] | None = None) -> None:
    admin.create_bucket(Bucket=bucket)
    admin.put_object(Bucket=bucket, Key="theirs", Body=b"x")
    if tags:
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        admin.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs})


def test_every_name_that_is_taken_is_told_and_nothing_is_made(fleet: Fleet, inputs: dict[str, Any], admin: Any) -> None:
    """One that holds data without a tag, one of another fleet: both in one message; the others are not made."""
    _theirs(admin, fleet.bucket("models"))
    _theirs(admin, fleet.bucket("audit"), {"project": "sparkfleet", "fleet": "another"})

    with pytest.raises(StoreError) as raised:
        names.NamesProvider().create(inputs)

    assert f"taken: {fleet.fleet}-audit, {fleet.fleet}-models; nothing was made" in str(raised.value)
    assert f"fleet={fleet.fleet}" in raised.value.next_step
    there = {bucket["Name"] for bucket in admin.list_buckets()["Buckets"]}
    assert there & set(inputs["names"]) == {fleet.bucket("models"), fleet.bucket("audit")}


def test_our_own_buckets_are_not_taken(
    provisioned: Any, inputs: dict[str, Any], admin: Any, inputs_of_bucket: Callable[..., Any]
) -> None:
    """Known by their tags when they hold data, as after `destroy`; other tags of somebody's do not matter."""
    admin.put_object(Bucket=provisioned.datasets, Key="ours", Body=b"x")
    described = inputs_of_bucket(provisioned.fleet, "datasets")
    onprem.BucketProvider().update("x", described, described | {"tags": {**described["tags"], "team": "label"}})

    assert names.NamesProvider().create(inputs).outs == inputs


def test_an_empty_bucket_is_nobodys(fleet: Fleet, inputs: dict[str, Any], admin: Any) -> None:
    """A run that was killed between making a bucket and tagging it is run again."""
    admin.create_bucket(Bucket=fleet.bucket("datasets"))

    assert names.NamesProvider().create(inputs).id == fleet.fleet


def test_buckets_of_an_earlier_version_are_the_fleets(provisioned: Any, inputs: dict[str, Any], admin: Any) -> None:
    """They have no tags and hold data; the store knows the fleet's controller, so the fleet lives here already."""
    _theirs(admin, provisioned.fleet.bucket("artifacts"))
    with pytest.raises(StoreError, match="artifacts"):
        names.NamesProvider().create(inputs)

    provisioned.iam().create_user(UserName=inputs["user"], Path="/sparkfleet/")

    assert names.NamesProvider().create(inputs).id


def test_a_state_without_tags_and_locks_is_updated_in_place(fleet: Fleet, inputs_of_bucket: Any, admin: Any) -> None:
    """The models' bucket of an earlier version keeps what it holds, gets tags and a lock, and is not replaced."""
    provider, wanted = onprem.BucketProvider(), inputs_of_bucket(fleet, "models")
    earlier = {key: value for key, value in wanted.items() if key not in {"tags", "retention"}}
    buckets.ensure_bucket(onprem.connection_of(wanted), wanted["bucket"], buckets.BucketState("Enabled", ""))
    version = admin.put_object(Bucket=wanted["bucket"], Key="model", Body=b"x")["VersionId"]

    found = provider.diff("x", earlier, wanted)
    outputs = provider.update("x", earlier, wanted).outs

    assert (found.changes, found.replaces) == (True, [])
    assert provider.read("x", dict(outputs)).inputs == wanted
    assert wanted["retention"] == "GOVERNANCE 30 days"
    assert admin.get_object(Bucket=wanted["bucket"], Key="model", VersionId=version)["Body"].read() == b"x"


def test_a_lock_of_no_days_is_lifted_for_new_models(fleet: Fleet, inputs_of_bucket: Any, admin: Any) -> None:
    """0 days: the bucket keeps object lock and stamps nothing; what was described is what is read."""
    provider, wanted = onprem.BucketProvider(), inputs_of_bucket(fleet, "models")
    provider.create(wanted)
    free = wanted | {"retention": "none"}

    outputs = provider.update("x", wanted, free).outs

    assert provider.read("x", dict(outputs)).inputs == free
    version = admin.put_object(Bucket=wanted["bucket"], Key="model", Body=b"x")["VersionId"]
    admin.delete_object(Bucket=wanted["bucket"], Key="model", VersionId=version)


def test_a_locked_model_is_deleted_with_a_right_of_its_own_alone(
    fleet: Fleet, inputs_of_bucket: Any, admin: Any
) -> None:
    """The administrator himself has to say that he means it; without that word the version stays."""
    wanted = inputs_of_bucket(fleet, "models")
    onprem.BucketProvider().create(wanted)
    one = {"Bucket": wanted["bucket"], "Key": "model"}
    version = admin.put_object(**one, Body=b"x")["VersionId"]

    with pytest.raises(admin.exceptions.ClientError, match="AccessDenied"):
        admin.delete_object(**one, VersionId=version)

    admin.delete_object(**one, VersionId=version, BypassGovernanceRetention=True)
