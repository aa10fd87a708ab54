"""Audit records to an AWS account, mocked by moto: the controller's own credentials, the bucket's own lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from sparkfleet import audit, chain
from sparkfleet.cloud import trail
from sparkfleet.errors import StoreError
from sparkfleet.model import Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A fleet in an account, whose controller has credentials in its environment."""
    monkeypatch.setattr(audit, "_silent_until", 0.0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    return Fleet.model_validate(
        {
            "fleet": "office",
            "controller": {"folder": str(tmp_path)},
            "hosts": {"spark-01": {"addresses": ["192.0.2.1"]}},
            "cloud": {"provider": "aws", "aws": {"region": "eu-west-1", "bucket_prefix": "oceanid-ml"}},
        }
    )


@pytest.fixture
def account() -> Iterator[Any]:
    """An S3 client of the mocked account, in which the audit bucket is as `sparkfleet.cloud.aws` describes it."""
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-1")
        client.create_bucket(
            Bucket="oceanid-ml-audit",
            ObjectLockEnabledForBucket=True,
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
        )
        yield client


def test_a_record_reaches_the_accounts_bucket_once(account: Any, fleet: Fleet) -> None:
    """The line is there as it stands, without a lock of our own (the bucket stamps it), and compares as equal."""
    audit.record(fleet, "spark-01", "adopt", "done")
    audit._marker(fleet).unlink()
    assert audit.ship(fleet) == 1

    [copy] = trail.of(fleet).copies()
    [line] = chain.read_lines(audit.log_file(fleet))
    shipped = account.get_object(Bucket="oceanid-ml-audit", Key=copy.key)
    assert shipped["Body"].read().decode() == line
    assert "ObjectLockMode" not in shipped
    assert (copy.again, audit.verify(fleet)) == (0, [])


def test_an_account_without_the_bucket_keeps_records_waiting(fleet: Fleet) -> None:
    """Before the first `pulumi up` nothing is lost, and --ship says what to do."""
    with mock_aws():
        audit.record(fleet, "spark-01", "adopt", "done")

        assert audit.backlog(fleet) == 1
        with pytest.raises(StoreError, match="NoSuchBucket") as raised:
            audit.ship(fleet)
    assert "pulumi up" in raised.value.next_step


def test_a_controller_without_credentials_is_told(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials anywhere: the message names that, with no traceback of boto3's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(StoreError, match="gave no answer") as raised:
        trail.of(fleet).copies()
    assert "no credentials" in raised.value.usually
