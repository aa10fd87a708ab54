"""Where an S3-compatible store is and whose key acts → clients of its two APIs, and its refusals in words.

The one place that opens connections to the store and turns its refusals into StoreError.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader

from sparkfleet import secrets
from sparkfleet.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_iam import IAMClient
    from mypy_boto3_s3 import S3Client

DESCRIPTIONS = create_loader()
PATIENCE = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"max_attempts": 3, "mode": "standard"},
    s3={"addressing_style": "path"},  # one DNS name serves all buckets of a store on the premises
)


@dataclass(frozen=True)
class Connection:
    """Where a store is and who administers it; `admin` is a secret reference, never a secret.

    Buckets need no `iam_endpoint`.
    """

    endpoint: str
    region: str
    admin: str
    iam_endpoint: str = ""


@dataclass(frozen=True)
class Key:
    """An access key in memory. Its text must not reach a log, so it has no readable form."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        """Name the key, hide the secret."""
        return f"Key({self.access_key_id})"


def administrator(connection: Connection) -> Key:
    """Resolve the administrator's key. Raises StoreError when the text behind the reference is not such a key."""
    try:
        fields: Any = json.loads(secrets.resolve(connection.admin))
        return Key(str(fields["access_key_id"]), str(fields["secret_access_key"]))
    except (ValueError, KeyError, TypeError):
        # `from None`: a JSON error carries the text that it could not read, which is the secret.
        raise StoreError(
            f"{connection.admin} holds no administrator key",
            next_step='write {"access_key_id": "…", "secret_access_key": "…"} there',
        ) from None


def s3(connection: Connection, key: Key, config: Config = PATIENCE) -> S3Client:
    """A client of the S3 API that acts with `key`."""
    return _session(key).client("s3", endpoint_url=connection.endpoint, region_name=connection.region, config=config)


def iam(connection: Connection, key: Key) -> IAMClient:
    """A client of the IAM API that acts with `key`."""
    return _session(key).client(
        "iam", endpoint_url=connection.iam_endpoint, region_name=connection.region, config=PATIENCE
    )


def code(error: ClientError) -> str:
    """The store's word for what went wrong, such as NoSuchBucket."""
    fields: Mapping[str, Any] = error.response.get("Error", {})
    return str(fields.get("Code", ""))


@contextmanager
def explained(doing: str, connection: Connection) -> Iterator[None]:
    """Turn what boto3 raises into a StoreError that says what to do next.

    Only the store's code and message are quoted: the rest of its answer repeats the request, signature included.
    """
    try:
        yield
    except ClientError as error:
        message = str(error.response.get("Error", {}).get("Message", ""))
        usually, next_step = _remedy(code(error), connection)
        raise StoreError(
            f"{doing}: the store answered {code(error)}: {message}", usually=usually, next_step=next_step
        ) from None
    except BotoCoreError as error:
        raise StoreError(
            f"{doing}: the store gave no answer ({type(error).__name__})",
            usually=f"nothing listens at {connection.iam_endpoint or connection.endpoint}",
            next_step="start the store or mend the endpoints under cloud.onprem, then run the same command again",
        ) from None


def _remedy(refusal: str, connection: Connection) -> tuple[str, str]:
    if refusal in {"SignatureDoesNotMatch", "InvalidAccessKeyId", "InvalidClientTokenId", "AccessDenied", "403"}:
        return (
            f"the key behind {connection.admin} is not the administrator's, or was replaced",
            f"put the current administrator key behind {connection.admin}",
        )
    if refusal == "BucketAlreadyExists":
        return (
            "another owner on this store has a bucket of that name",
            "give the fleet another name: buckets begin with it",
        )
    return "", "look into the store's own log, then run the same command again"


def _session(key: Key) -> boto3.session.Session:
    # A session each: one session is not safe in the threads of Pulumi's provider process. The API descriptions are
    # read-only and shared, because reading them is nine tenths of a client's cost (80 ms of 90).
    core = botocore.session.get_session()
    core.register_component("data_loader", DESCRIPTIONS)
    return boto3.session.Session(
        aws_access_key_id=key.access_key_id, aws_secret_access_key=key.secret_access_key, botocore_session=core
    )
