"""docs/guides/store.md: what it tells people to run, run on a real store."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import audit
from sparkfleet.cloud import objectstore, onprem

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparkfleet.cloud.objectstore import Connection
    from sparkfleet.model import Fleet

GUIDE = Path(__file__).parents[3] / "docs/guides/store.md"


@pytest.fixture
def remove(tmp_path: Path, connection: Connection) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run the guide's program for a bucket of the store."""
    program = tmp_path / "remove.py"
    program.write_text(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)[0])

    def run(bucket: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, str(program), connection.endpoint, connection.admin.removeprefix("file:"), bucket]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture
def admin(connection: Connection) -> Any:
    """An S3 client of the administrator."""
    return objectstore.s3(connection, objectstore.administrator(connection))


@pytest.mark.parametrize("purpose", ["datasets", "models"])
def test_a_bucket_is_removed_on_purpose_as_the_guide_says(
    fleet: Fleet, inputs_of_bucket: Callable[..., Any], admin: Any, remove: Callable[..., Any], purpose: str
) -> None:
    """With old versions, a delete marker, an unfinished upload and a lock in GOVERNANCE mode: all of it goes."""
    name = fleet.bucket(purpose)
    onprem.BucketProvider().create(inputs_of_bucket(fleet, purpose))
    for _ in range(2):
        admin.put_object(Bucket=name, Key="a", Body=b"x")
    admin.delete_object(Bucket=name, Key="a")
    admin.create_multipart_upload(Bucket=name, Key="b")

    done = remove(name)

    assert done.returncode == 0, done.stderr
    assert name not in {bucket["Name"] for bucket in admin.list_buckets()["Buckets"]}


def test_an_audit_record_outlives_the_guides_program(audited: Any, admin: Any, remove: Callable[..., Any]) -> None:
    """It ends with AccessDenied and the record is there."""
    audit.record(audited.fleet, "spark-01", "adopt", "done")

    done = remove(audited.fleet.bucket("audit"))

    assert done.returncode != 0
    assert "AccessDenied" in done.stderr
    assert len(admin.list_object_versions(Bucket=audited.fleet.bucket("audit"))["Versions"]) == 1
