"""An instance → the bucket on its store from which Calypso serves, and a key each for who reads and who promotes.

The server may only read. Who promotes writes, and deletes nothing: what served once can be served again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from lab import store
from lab.spark.factory import secret

if TYPE_CHECKING:
    from pathlib import Path

    from lab.instance import Instance

BUCKET, PREFIX, REGION = "calypso-models", "serving", "us-east-1"
READS = ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"]
IDENTITIES = {"calypso": READS, "promoter": [*READS, "s3:PutObject"]}


@dataclass(frozen=True)
class Repository:
    """Where it is, and the file with the key of whoever promotes; it answers as a credential_process does."""

    endpoint: str
    bucket: str
    prefix: str
    region: str
    credentials: Path
    reader: dict[str, str] = field(repr=False)  # the server's own key, for its environment

    @property
    def url(self) -> str:
        """As tritonserver wants it."""
        return f"s3://{self.endpoint}/{self.bucket}/{self.prefix}"

    @property
    def environment(self) -> dict[str, str]:
        """What the server needs to read it."""
        return {
            "AWS_ACCESS_KEY_ID": self.reader["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": self.reader["SecretAccessKey"],
            "AWS_DEFAULT_REGION": self.region,
        }


def ensure(instance: Instance) -> Repository:
    """Make what is missing; the lab's store must be up."""
    s3 = _client(instance, "s3")
    if BUCKET not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/README", Body=b"Calypso serves the models in here.\n")
    keys = {name: _key(instance, name, actions) for name, actions in IDENTITIES.items()}
    reader = json.loads(keys["calypso"].read_text())
    return Repository(instance.endpoint, BUCKET, PREFIX, REGION, keys["promoter"], reader)


def _key(instance: Instance, name: str, actions: list[str]) -> Path:
    """The file with the identity's access key, 0600; the identity is made with it."""

    def make() -> str:
        iam, user = _client(instance, "iam"), f"label-{name}"
        try:
            iam.create_user(UserName=user)
        except ClientError as error:
            if error.response["Error"]["Code"] != "EntityAlreadyExists":
                raise
        resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
        document = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}],
        }
        iam.put_user_policy(UserName=user, PolicyName="models", PolicyDocument=json.dumps(document))
        made = iam.create_access_key(UserName=user)["AccessKey"]
        kept = {"Version": 1, "AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"]}
        return json.dumps(kept) + "\n"

    return secret(instance.secrets / f"{name}.json", make)


def _client(instance: Instance, service: str) -> Any:
    """boto3 on the store's S3 or IAM address, as its administrator."""
    admin = store.credentials(instance)
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=instance.endpoint if service == "s3" else instance.iam_endpoint,
        aws_access_key_id=admin["access_key_id"],
        aws_secret_access_key=admin["secret_access_key"],
        region_name=REGION,
    )
