"""The lab's object store: real S3 and IAM servers, spoken to with boto3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab import network, record, store
from lab.toolchain import ensure

if TYPE_CHECKING:
    from lab.instance import Instance

pytestmark = pytest.mark.lab
BUCKET = "tests-of-the-lab"


@pytest.fixture(scope="module")
def running(lab_instance: Instance) -> Instance:
    """The lab with its store up."""
    network.up(lab_instance)
    store.up(lab_instance, ensure(["versitygw"])["versitygw"])
    return lab_instance


def client(instance: Instance, service: str, key: dict[str, str]) -> Any:
    """boto3 on the store's S3 or IAM address."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=instance.endpoint if service == "s3" else instance.iam_endpoint,
        aws_access_key_id=key["access_key_id"],
        aws_secret_access_key=key["secret_access_key"],
        region_name="us-east-1",
    )


def test_a_bucket_keeps_the_versions_of_an_object(running: Instance) -> None:
    """What was overwritten can be had again."""
    s3 = client(running, "s3", store.credentials(running))
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=BUCKET, Key="a", Body=b"1")["VersionId"]
    s3.put_object(Bucket=BUCKET, Key="a", Body=b"2")
    assert s3.get_object(Bucket=BUCKET, Key="a")["Body"].read() == b"2"
    assert s3.get_object(Bucket=BUCKET, Key="a", VersionId=first)["Body"].read() == b"1"


def test_an_identity_made_at_the_iam_server_is_known_to_the_s3_server(running: Instance) -> None:
    """And may do what its policy says, nothing else."""
    admin = store.credentials(running)
    s3, iam = client(running, "s3", admin), client(running, "iam", admin)
    s3.create_bucket(Bucket=f"{BUCKET}-iam")
    s3.put_object(Bucket=f"{BUCKET}-iam", Key="mine/x", Body=b"x")
    s3.put_object(Bucket=f"{BUCKET}-iam", Key="other/x", Body=b"x")
    iam.create_user(UserName="somebody")
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}-iam/mine/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="somebody", PolicyName="mine", PolicyDocument=policy)
    made = iam.create_access_key(UserName="somebody")["AccessKey"]
    own = client(running, "s3", {"access_key_id": made["AccessKeyId"], "secret_access_key": made["SecretAccessKey"]})
    assert own.get_object(Bucket=f"{BUCKET}-iam", Key="mine/x")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        own.get_object(Bucket=f"{BUCKET}-iam", Key="other/x")


def test_the_administrators_key_is_on_no_command_line_and_readable_by_root_alone(running: Instance) -> None:
    """It reaches the servers by their environment."""
    assert store.admin_file(running).stat().st_mode & 0o777 == 0o600
    assert running.secrets.stat().st_mode & 0o777 == 0o700
    for label in (store.S3, store.IAM):
        words = Path(f"/proc/{record.alive(running, label)}/cmdline").read_text()
        assert not any(value in words for value in store.credentials(running).values())


def test_starting_it_again_changes_nothing(running: Instance) -> None:
    """The same servers with the same key."""
    before = [record.alive(running, label) for label in (store.S3, store.IAM)]
    store.up(running, ensure(["versitygw"])["versitygw"])
    assert [record.alive(running, label) for label in (store.S3, store.IAM)] == before
