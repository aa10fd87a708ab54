"""Audit records on a real store with object lock: who can add, and that nobody takes anything back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from sparkfleet import audit, chain
from sparkfleet.cloud import objectstore, onprem, trail
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

Request = Callable[[Any, str, str, str], Any]
OTHER_LOCK = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}

DELETES: dict[str, Request] = {
    "delete the version": lambda s3, bucket, key, version: s3.delete_object(Bucket=bucket, Key=key, VersionId=version),
    "delete it with a bypass": lambda s3, bucket, key, version: s3.delete_object(
        Bucket=bucket, Key=key, VersionId=version, BypassGovernanceRetention=True
    ),
    "shorten its retention": lambda s3, bucket, key, version: s3.put_object_retention(
        Bucket=bucket,
        Key=key,
        VersionId=version,
        Retention={"Mode": "COMPLIANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(minutes=1)},
        BypassGovernanceRetention=True,
    ),
    "make its retention a milder one": lambda s3, bucket, key, version: s3.put_object_retention(
        Bucket=bucket,
        Key=key,
        VersionId=version,
        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=9)},
        BypassGovernanceRetention=True,
    ),
    "suspend versioning": lambda s3, bucket, _key, _version: s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "delete the bucket": lambda s3, bucket, _key, _version: s3.delete_bucket(Bucket=bucket),
}
EVERYDAY: dict[str, Request] = DELETES | {
    "delete the object": lambda s3, bucket, key, _version: s3.delete_object(Bucket=bucket, Key=key),
    "copy something over it": lambda s3, bucket, key, _version: s3.copy_object(
        Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}
    ),
    "read it": lambda s3, bucket, key, _version: s3.get_object(Bucket=bucket, Key=key),
    "write elsewhere": lambda s3, bucket, _key, _version: s3.put_object(Bucket=bucket, Key="elsewhere", Body=b"x"),
    "change the bucket's lock": lambda s3, bucket, _key, _version: s3.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration=OTHER_LOCK
    ),
    "change the bucket's policy": lambda s3, bucket, _key, _version: s3.delete_bucket_policy(Bucket=bucket),
}


def _only_version(audited: Any) -> tuple[str, str, str]:
    """Bucket, key and version of the one record that was shipped."""
    bucket = audited.fleet.bucket("audit")
    [version] = audited.admin().list_object_versions(Bucket=bucket)["Versions"]
    return bucket, version["Key"], version["VersionId"]


def _decide(request: Request, s3: Any, where: tuple[str, str, str]) -> str:
    try:
        request(s3, *where)
    except ClientError as error:
        return objectstore.code(error)
    return "allowed"


def test_a_record_is_shipped_and_locked_with_the_controllers_key(audited: Any) -> None:
    """The object is the line, its name sorts by time and holds the line's digest, its lock lasts as described."""
    audit.record(audited.fleet, "spark-01", "adopt", "done")

    bucket, key, version = _only_version(audited)
    [line] = chain.read_lines(audit.log_file(audited.fleet))
    admin = audited.admin()
    assert admin.get_object(Bucket=bucket, Key=key)["Body"].read().decode() == line
    assert key.startswith(f"audit/{audited.fleet.fleet}/20")
    assert key.endswith(f"Z-000000-{chain.digest(line)[:8]}.json")
    lock = admin.get_object_retention(Bucket=bucket, Key=key, VersionId=version)["Retention"]
    assert lock["Mode"] == "COMPLIANCE"
    assert abs(lock["RetainUntilDate"] - datetime.now(UTC) - timedelta(days=365)) < timedelta(minutes=5)
    assert audit.backlog(audited.fleet) == 0


@pytest.mark.parametrize("who", ["spark-01", "controller"])
def test_everyday_keys_take_nothing_back(audited: Any, who: str) -> None:
    """Neither a host's key nor the controller's own deletes, reads or unlocks a record, or touches the bucket."""
    audit.record(audited.fleet, "spark-01", "adopt", "done")
    where, s3 = _only_version(audited), audited.client(who)

    refusals = {what: _decide(request, s3, where) for what, request in EVERYDAY.items()}

    assert set(refusals.values()) == {"AccessDenied"}, refusals
    assert _only_version(audited) == where


def test_a_host_cannot_even_add_or_list(audited: Any) -> None:
    """The host's key puts nothing into the audit bucket and sees nothing there."""
    audit.record(audited.fleet, "spark-01", "adopt", "done")
    (bucket, key, _), s3 = _only_version(audited), audited.client("spark-01")

    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"forged")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.list_object_versions(Bucket=bucket, Prefix="audit/")


def test_the_controllers_second_put_is_refused_or_leaves_the_first(audited: Any) -> None:
    """With the condition the store refuses; without it (versitygw has no policy for it) the first version stays.

    The list then says so, and gives the first version to compare with.
    """
    audit.record(audited.fleet, "spark-01", "adopt", "done")
    (bucket, key, version), s3 = _only_version(audited), audited.client("controller")
    first = trail.of(audited.fleet).copies()

    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"forged", IfNoneMatch="*")
    s3.put_object(Bucket=bucket, Key=key, Body=b"forged")

    [line] = chain.read_lines(audit.log_file(audited.fleet))
    kept = audited.admin().get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
    assert kept.decode() == line
    [copy] = trail.of(audited.fleet).copies()
    assert (copy.again, copy.md5, copy.size) == (1, first[0].md5, first[0].size)


def test_the_stores_administrator_cannot_remove_a_record(audited: Any) -> None:
    """Root of the store may hide a record behind a delete marker and open the bucket's policy; the version stays."""
    audit.record(audited.fleet, "spark-01", "adopt", "done")
    where, admin = _only_version(audited), audited.admin()
    admin.put_object_lock_configuration(Bucket=where[0], ObjectLockConfiguration=OTHER_LOCK)
    admin.delete_bucket_policy(Bucket=where[0])
    admin.delete_object(Bucket=where[0], Key=where[1])

    refusals = {what: _decide(request, admin, where) for what, request in DELETES.items()}

    assert set(refusals.values()) <= {"AccessDenied", "InvalidBucketState", "BucketNotEmpty"}, refusals
    assert _only_version(audited) == where
    [copy] = trail.of(audited.fleet).copies()
    assert copy.hidden


def test_what_waits_is_shipped_in_order_and_once(audited: Any) -> None:
    """Records made while the controller has no key wait; with the key they go out, again ships nothing."""
    fleet, key = audited.fleet, audited.fleet.controller.store_key("controller")
    key.rename(key.with_suffix(".away"))
    for outcome in ("began", "done"):
        audit.record(fleet, "spark-01", "adopt", outcome)
    assert audit.backlog(fleet) == 2
    with pytest.raises(StoreError, match="no key for the audit bucket"):
        audit.ship(fleet)
    key.with_suffix(".away").rename(key)

    assert (audit.ship(fleet), audit.ship(fleet), audit.backlog(fleet)) == (2, 0, 0)

    audit._marker(fleet).unlink()  # as a run leaves it that was killed before it noted anything
    assert audit.ship(fleet) == 2
    assert [copy.again for copy in trail.of(fleet).copies()] == [0, 0]


def test_the_audit_bucket_is_as_described_or_told(
    audited: Any, inputs_of_bucket: Callable[..., Any], fleet: Fleet
) -> None:
    """No drift as made; a milder lock is named and put back; a state without the key `retention` reads as before."""
    provider, inputs = onprem.BucketProvider(), inputs_of_bucket(audited.fleet, "audit")
    assert provider.read("x", dict(inputs)).inputs == inputs
    name = inputs["bucket"]
    audited.admin().put_object_lock_configuration(Bucket=name, ObjectLockConfiguration=OTHER_LOCK)

    seen = provider.read("x", dict(inputs))
    assert seen.inputs["retention"] == "GOVERNANCE 1 days"
    assert provider.diff("x", seen.outs, inputs).changes
    provider.update("x", seen.outs, inputs)
    assert provider.read("x", dict(inputs)).inputs == inputs

    plain = inputs_of_bucket(fleet, "datasets")
    earlier = {key: value for key, value in plain.items() if key != "retention"}
    assert not provider.diff("x", earlier, plain).changes
    assert provider.read("x", earlier).inputs == plain


def test_a_bucket_without_object_lock_is_not_taken_for_one(
    provisioned: Any, inputs_of_bucket: Callable[..., Any]
) -> None:
    """A bucket of that name that was made without lock fails with what to do, and is left as it is."""
    inputs = inputs_of_bucket(provisioned.fleet, "audit")
    provisioned.admin().create_bucket(Bucket=inputs["bucket"])

    with pytest.raises(StoreError, match="exists without object lock") as raised:
        onprem.BucketProvider().create(inputs)

    assert "delete the bucket" in raised.value.next_step


def test_no_secret_of_the_controller_is_told(audited: Any) -> None:
    """Neither the log nor the folder beside it holds the controller's secret key, and the file with it is private."""
    audit.record(audited.fleet, "spark-01", "adopt", "done")
    held = audited.fleet.controller.store_key("controller")
    secret = json.loads(held.read_text())["SecretAccessKey"]

    written = [file.read_text() for file in audit.log_file(audited.fleet).parent.iterdir()]
    assert written
    assert not [text for text in written if secret in text]
    assert held.stat().st_mode & 0o777 == 0o600
