"""What leaves the description is taken away; who destroys the stack loses neither machines nor data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from lab import store

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab


def test_what_is_no_longer_described_is_taken_away(converged: FleetUnderTest) -> None:
    """A person who left the description loses the key file; a host that lost the role exporter has it stopped."""

    def less(described: dict[str, Any]) -> None:
        described["sparkfleet:access"]["users"] = {}
        described["sparkfleet:hosts"]["spark-04"]["roles"] = []

    good = converged.description.read_text()
    converged.described(less)
    try:
        up = converged.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        assert converged.changes() == {host: [] for host in converged.hosts}
        assert not (converged.tree("spark-04") / "etc/ssh/authorized_keys/alice").exists()
        unit = converged.on("spark-04", "systemctl is-active sparkfleet-gb10-exporter.service")
        assert unit.text.strip() == "inactive"
        assert converged.on("spark-04", "find /etc/systemd -xtype l").text == ""
        assert converged.on("spark-04", "id -nG alice").text.split() == ["alice"]
    finally:
        converged.description.write_text(good)
    restored = converged.pulumi("up", "--yes", "--skip-preview")
    assert restored.code == 0, restored.text


def test_destroy_leaves_machines_and_data(converged: FleetUnderTest) -> None:
    """`pulumi destroy` forgets the hosts without touching them, and keeps the buckets that hold anything."""
    admin = store.credentials(converged.instance)
    s3 = boto3.client(
        "s3",
        endpoint_url=converged.instance.endpoint,
        region_name="us-east-1",
        aws_access_key_id=admin["access_key_id"],
        aws_secret_access_key=admin["secret_access_key"],
    )
    s3.put_object(Bucket="lab-datasets", Key="shared/note", Body=b"data")
    before = (converged.tree("spark-02") / "var/lib/sparkfleet/marker.json").read_bytes()

    destroyed = converged.pulumi("destroy", "--yes", "--skip-preview")
    assert destroyed.code == 0, destroyed.text
    assert "spark-02 was left as it is" in destroyed.text
    assert (converged.tree("spark-02") / "var/lib/sparkfleet/marker.json").read_bytes() == before
    for bucket in ("lab-audit", "lab-datasets"):  # the one with the fleet's story, the other with our note
        assert f"bucket {bucket} holds data and was kept" in destroyed.text
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {"lab-audit", "lab-datasets"}
    assert s3.get_object(Bucket="lab-datasets", Key="shared/note")["Body"].read() == b"data"

    back = converged.pulumi("up", "--yes", "--skip-preview")
    assert back.code == 0, back.text
    assert converged.changes() == {host: [] for host in converged.hosts}
