"""Hosts and the object store: each has its own key, and no secret lies anywhere else."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab import store
from lab.spark import factory

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab


def client(converged: FleetUnderTest, host: str) -> Any:
    """An S3 client with the host's real credentials, read from the host itself."""
    secret = json.loads((converged.tree(host) / "etc/sparkfleet/s3.json").read_text())
    return boto3.client(
        "s3",
        endpoint_url=converged.instance.endpoint,
        region_name="us-east-1",
        aws_access_key_id=secret["AccessKeyId"],
        aws_secret_access_key=secret["SecretAccessKey"],
    )


def test_a_host_cannot_read_another_hosts_data(converged: FleetUnderTest) -> None:
    """With the credentials that lie on the hosts, spark-01 reads its own prefix and is refused spark-02's."""
    one, two = client(converged, "spark-01"), client(converged, "spark-02")
    one.put_object(Bucket="lab-datasets", Key="hosts/spark-01/note", Body=b"one")
    two.put_object(Bucket="lab-datasets", Key="hosts/spark-02/note", Body=b"two")
    assert one.get_object(Bucket="lab-datasets", Key="hosts/spark-01/note")["Body"].read() == b"one"
    for forbidden in (
        lambda: one.get_object(Bucket="lab-datasets", Key="hosts/spark-02/note"),
        lambda: one.list_objects_v2(Bucket="lab-datasets", Prefix="hosts/spark-02/"),
        lambda: one.put_object(Bucket="lab-datasets", Key="hosts/spark-02/note", Body=b"x"),
        lambda: one.delete_object(Bucket="lab-datasets", Key="hosts/spark-02/note"),
    ):
        with pytest.raises(ClientError) as refused:
            forbidden()
        assert refused.value.response["Error"]["Code"] == "AccessDenied"


def secrets_of(converged: FleetUnderTest) -> dict[str, str]:
    """Every secret value that this fleet knows."""
    folder = converged.instance.folder
    found = {
        "set-up password": factory.password(converged.instance).read_text().strip(),
        "administrator's key": store.credentials(converged.instance)["secret_access_key"],
        # the middle of the private key: its first line is the same in every OpenSSH key
        "automation key": (folder / "keys/automation").read_text().splitlines()[2],
    }
    for file in sorted((folder / "secrets/s3").glob("*.json")):
        found[f"object-store key of {file.stem}"] = json.loads(file.read_text())["SecretAccessKey"]
    return found


def test_no_secret_value_is_kept_anywhere_else(converged: FleetUnderTest) -> None:
    """State, backups, logs, rendered trees, runner artifacts, process arguments and journals hold no secret value."""
    values = secrets_of(converged)
    stored = {name.rpartition(" ")[2] for name in values if name.startswith("object-store key of")}
    assert stored == {"controller", *converged.hosts}
    folder = converged.instance.folder
    places = [folder / "pulumi", folder / "rendered", folder / "run", *Path(tempfile.gettempdir()).glob("spark-*")]
    texts = {str(f): f.read_bytes() for place in places for f in place.rglob("*") if f.is_file()}
    assert any(name.endswith(f"{converged.stack}.json") for name in texts)
    for host in converged.hosts:
        journal = ["journalctl", "-D", str(converged.tree(host) / "var/log/journal"), "-q", "-a", "-o", "export"]
        texts[f"journal of {host}"] = subprocess.run(journal, capture_output=True, check=False).stdout
        assert len(texts[f"journal of {host}"]) > 1000
        marker = converged.tree(host) / "var/lib/sparkfleet/marker.json"
        texts[str(marker)] = marker.read_bytes()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                texts[f"arguments of process {process.name}"] = (process / "cmdline").read_bytes()
            except OSError:  # it ended
                continue
    leaks = [(what, place) for what, value in values.items() for place, text in texts.items() if value.encode() in text]
    assert leaks == []
