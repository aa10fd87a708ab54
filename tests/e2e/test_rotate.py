"""`spark rotate` on hosts that work → new keys everywhere, the old ones refused, and nothing for `pulumi up` to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.e2e import rotating
from tests.e2e.rotating import Keys

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

HOST = "spark-02"


def test_all_kinds_end_with_the_new_keys_alone(converged: FleetUnderTest, tmp_path: Path) -> None:
    """After `rotate all` of a host and `rotate ssh` the old keys are refused, and the host is as described.

    `pulumi up` then records the new digest and key id; nothing on the host is written, and a refresh finds nothing.
    """
    before = Keys.copied(converged, tmp_path / "before")
    marker = converged.tree(HOST) / "var/lib/sparkfleet/marker.json"

    one = converged.spark("rotate", "all", HOST, "--json")
    assert one.code == 0, one.text
    everywhere = converged.spark("rotate", "ssh", "--json")
    assert everywhere.code == 0, everywhere.text

    assert before.login(HOST).stdout.strip() == "0"
    assert "Permission denied" in before.login(HOST, key=before.folder / "automation").stderr
    assert "HOST IDENTIFICATION HAS CHANGED" in before.login(HOST, pins=before.folder / "known_hosts").stderr
    old = json.loads((before.folder / f"{HOST}.json").read_text())
    assert rotating.store_answers(converged, HOST, old) == "InvalidAccessKeyId"
    assert rotating.store_answers(converged, HOST, rotating.key_on(converged, HOST)) == "ok"
    assert rotating.leftovers(converged) == []
    assert converged.changes() == {host: [] for host in converged.hosts}

    told = {(record["kind"], record["outcome"]) for record in rotating.records(converged) if record["host"] == HOST}
    for kind in ("rotate-s3", "rotate-host-keys", "rotate-ssh"):
        assert {(kind, outcome) for outcome in ("began", "proven", "removed", "refused-old", "done")} <= told

    rotated = marker.read_bytes()
    preview = converged.pulumi("preview", "--diff")
    assert "file:/etc/ssh/authorized_keys/sparkfleet" in preview.text
    up = converged.pulumi("up", "--yes", "--skip-preview")
    assert up.code == 0, up.text
    assert marker.read_bytes() == rotated, "an apply writes it last of all"
    refresh = converged.pulumi("refresh", "--yes", "--skip-preview")
    assert refresh.code == 0, refresh.text
    still = converged.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert still.code == 0, still.text


def test_a_host_that_is_away_stops_the_rotation_before_anything_changes(converged: FleetUnderTest) -> None:
    """With a host unreachable no key is replaced and --skip is offered; HOSTS are refused for the one key of all."""
    named = converged.spark("rotate", "ssh", HOST)
    assert named.code == 2
    assert "one key for all hosts" in named.text
    key = (converged.instance.folder / "keys" / "automation").read_bytes()
    good = converged.description.read_text()
    away = converged.instance.address("spark-90")
    converged.described(lambda described: described["sparkfleet:hosts"][HOST].update(addresses=[away]))
    try:
        stopped = converged.spark("rotate", "ssh")
    finally:
        converged.description.write_text(good)
    assert stopped.code == 4, stopped.text
    assert f"--skip {HOST}" in stopped.text
    assert (converged.instance.folder / "keys" / "automation").read_bytes() == key
    assert rotating.leftovers(converged) == []
