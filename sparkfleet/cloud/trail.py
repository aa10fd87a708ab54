"""Audit records → objects that nobody can take back, put with a key that can only add, and the list of what is there.

Each record is one object, audit/<fleet>/<time>-<number>-<first digits of its SHA-256>.json, kept by object lock in
COMPLIANCE mode. The key of the controller may put objects below audit/ and list them: it reads, overwrites and deletes
nothing. What each store does with an overwrite: docs/decisions/0017-audit.md.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sparkfleet import chain
from sparkfleet.cloud import objectstore
from sparkfleet.cloud.policies import AUDIT
from sparkfleet.errors import StoreError
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from sparkfleet.model import Fleet

HURRY = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
"""For a record within a run that has other things to do."""


@dataclass(frozen=True)
class Copy:
    """An object as it was first written. `again`: how often it was overwritten; `hidden`: a delete marker is on it."""

    key: str
    md5: str
    size: int
    again: int
    hidden: bool


@dataclass(frozen=True)
class Trail:
    """Where a fleet's copies go. `stamp_days`: how long each is locked, where the bucket itself does not stamp it."""

    client: S3Client
    bucket: str
    prefix: str
    stamp_days: int | None

    def add(self, name: str, line: str) -> None:
        """Put one record; one that is there already is left as it is. Raises StoreError."""
        lock: dict[str, Any] = {}
        if self.stamp_days:
            until = datetime.now(UTC) + timedelta(days=self.stamp_days)
            lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        with _explained(self.bucket):
            try:
                self.client.put_object(
                    Bucket=self.bucket, Key=self.prefix + name, Body=line.encode(), IfNoneMatch="*", **lock
                )
            except ClientError as error:
                # A run that was killed between the copy and its note of it.
                if objectstore.code(error) != "PreconditionFailed":
                    raise

    def copies(self) -> list[Copy]:
        """Every object of the fleet, as its first version says. Raises StoreError."""
        first: dict[str, Any] = {}
        versions: dict[str, int] = {}
        hidden = set()
        with _explained(self.bucket):
            pages = self.client.get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for version in page.get("Versions", []):
                    first[version["Key"]] = version  # newest first: the last one seen is the first one written
                    versions[version["Key"]] = versions.get(version["Key"], 0) + 1
                hidden |= {marker["Key"] for marker in page.get("DeleteMarkers", [])}
        return [
            Copy(key, str(version["ETag"]).strip('"'), int(version["Size"]), versions[key] - 1, key in hidden)
            for key, version in sorted(first.items())
        ]


def of(fleet: Fleet, *, patient: bool = True) -> Trail:
    """The fleet's trail; `patient` asks a slow store again. Raises StoreError when there is no key for it yet.

    On the premises the controller has a key of its own; in an AWS account it acts with its own AWS credentials.
    """
    config, prefix = objectstore.PATIENCE if patient else HURRY, f"{AUDIT}{fleet.fleet}/"
    if fleet.cloud.provider == "aws" and fleet.cloud.aws:
        where = fleet.cloud.aws
        with _explained(bucket := fleet.bucket("audit")):
            client: S3Client = boto3.session.Session(region_name=where.region).client("s3", config=config)
        return Trail(client, bucket, prefix, None)
    if fleet.cloud.provider == "onprem" and fleet.cloud.onprem:
        store = fleet.cloud.onprem
        key = _controllers_key(fleet.controller.store_key("controller"))
        connection = objectstore.Connection(store.endpoint, store.region, store.admin)
        days = fleet.cloud.audit_retention_days
        return Trail(objectstore.s3(connection, key, config), fleet.bucket("audit"), prefix, days)
    raise StoreError(
        "this fleet has no object store to ship the audit log to",
        next_step="choose a cloud.provider, or keep copies of the log by other means",
    )


def name(record: chain.Record) -> str:
    """The object's name below the fleet's prefix: names sort as the records were made."""
    compact = record.at.replace("-", "").replace(":", "")
    return f"{compact}-{record.seq:06d}-{chain.digest(record.line())[:8]}.json"


def _controllers_key(file: Path) -> objectstore.Key:
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        return objectstore.Key(str(fields["AccessKeyId"]), str(fields["SecretAccessKey"]))
    except (OSError, ValueError, KeyError, TypeError):
        # `from None`: a JSON error carries the text that it could not read, which is the secret.
        raise StoreError(
            f"the controller has no key for the audit bucket ({file})",
            usually="`pulumi up` has not made it yet",
            next_step="run `pulumi up`, then `spark audit --ship`",
        ) from None


@contextmanager
def _explained(bucket: str) -> Iterator[None]:
    """Turn what boto3 raises into a StoreError; only the store's code and message are quoted."""
    try:
        yield
    except ClientError as error:
        told = printable(str(error.response.get("Error", {}).get("Message", "")))
        raise StoreError(
            f"audit bucket {bucket}: the store answered {objectstore.code(error)}: {told}",
            usually="the bucket or the controller's key is not as `pulumi up` makes it",
            next_step="run `pulumi up`, then `spark audit --ship`; the records wait on this controller",
        ) from None
    except BotoCoreError as error:
        raise StoreError(
            f"audit bucket {bucket}: the store gave no answer ({type(error).__name__})",
            usually="the store is down, or this controller has no credentials for it",
            next_step="run `spark audit --ship` once it answers; the records wait on this controller",
        ) from None
