"""Hosts and the fleet's authority, real step-ca on a stand-in: enrolled by `pulumi up`, renewed by timers alone."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from lab import store
from lab.rolesanywhere.sessions import Sessions
from lab.spark import step_ca
from sparkfleet.cloud import objectstore, policies
from sparkfleet.cloud.objectstore import Connection
from tests.e2e.under_test import FleetUnderTest, adopted_fleet, until
from tests.lab.rolesanywhere.served import serve
from tests.sparkfleet.cloud.syncing import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.lab, pytest.mark.drill]

LIFETIME_S = 120
FOLDER = "/etc/sparkfleet/identity"
AUTHORITY, SERVICE = "sparkfleet-authority.service", "sparkfleet-identity.service"


def with_identities(config: dict[str, Any]) -> None:
    """spark-01 is the authority, both hosts ask it."""
    hosts = config["sparkfleet:hosts"]
    hosts["spark-01"]["roles"] += ["authority", "identity"]
    hosts["spark-02"]["roles"] += ["identity"]
    config["sparkfleet:authority"]["lifetime"] = f"{LIFETIME_S}s"


@pytest.fixture(scope="module")
def fleet() -> Iterator[FleetUnderTest]:
    """Two converged stand-ins."""
    with adopted_fleet(FleetUnderTest, "drill", 2, with_identities) as made:
        step_ca.install(made.instance, "spark-01")
        done = made.pulumi("up", "--yes", "--skip-preview")
        assert done.code == 0, done.text
        yield made


def serial(fleet: FleetUnderTest, host: str) -> str:
    """Of the certificate in force."""
    return fleet.on(host, f"openssl x509 -in {FOLDER}/host.crt -noout -serial").text.strip()


def key(fleet: FleetUnderTest, host: str) -> str:
    """A digest of the private key, made where it is."""
    return fleet.on(host, f"sha256sum {FOLDER}/host.key").text


def test_a_timer_renews_with_nobody_about(fleet: FleetUnderTest) -> None:
    """Within its life each host has another certificate for the same key, and `pulumi up` has nothing to do."""
    for host in fleet.hosts:
        first, made = serial(fleet, host), key(fleet, host)
        until(lambda host=host, first=first: serial(fleet, host) != first, f"{host} renews", LIFETIME_S + 60)
        assert key(fleet, host) == made
    assert fleet.changes(*fleet.hosts) == {host: [] for host in fleet.hosts}


def test_a_running_sync_is_not_interrupted_by_a_renewal(fleet: FleetUnderTest, tmp_path: Path) -> None:
    """Its sessions come of the host's own certificate, from a simulated account, and the timer renews it."""
    here, authority = fleet.tree("spark-02") / FOLDER.lstrip("/"), fleet.instance.folder / "authority/1/issuing.crt"
    connection = Connection(
        fleet.instance.endpoint, "us-east-1", f"file:{store.admin_file(fleet.instance)}", fleet.instance.iam_endpoint
    )
    access = policies.host_access(*map(policies.bucket_arn, ("lab-datasets", "lab-models")))
    sessions = Sessions(objectstore.iam(connection, objectstore.administrator(connection)), policies.canonical(access))
    anchor = x509.load_pem_x509_certificate(authority.read_bytes())
    anywhere = serve(tmp_path, sessions.grant, anchors=[anchor], most_s=20)
    site = Site(SimpleNamespace(connection=connection, datasets="lab-datasets"), anywhere, tmp_path)
    config = here / "roles-anywhere.json"
    config.write_text(json.dumps(anywhere.told))
    try:
        site.publish(files=30, size=1 << 20)
        first = serial(fleet, "spark-02")
        running = site.begin(config, bandwidth_bytes_s=1 << 18)
        until(lambda: serial(fleet, "spark-02") != first, "the renewal", LIFETIME_S)
        assert running.poll() is None  # not over before
        _, said = running.communicate(timeout=LIFETIME_S * 2)
    finally:
        config.unlink()
        anywhere.endpoint.stop()
        sessions.close()
    assert running.returncode == 0, said
    assert len(list((tmp_path / "host/mix/current/").iterdir())) == 30
    assert len(anywhere.endpoint.asked) > 3


def test_a_retired_host_is_refused(fleet: FleetUnderTest) -> None:
    """From `spark retire` on it gets no other certificate; the host that stays does."""
    done = fleet.spark("retire", "spark-02", "--yes", "spark-02")
    assert "revoked-identity" in done.text, done.text
    tree = fleet.tree("spark-02")
    until((tree / FOLDER.lstrip("/") / "refused").exists, "the refusal", LIFETIME_S + 60)
    assert "retired" in (tree / FOLDER.lstrip("/") / "refused").read_text()
    before = serial(fleet, "spark-01")
    until(lambda: serial(fleet, "spark-01") != before, "the other host's renewal", LIFETIME_S + 60)


def test_an_authority_that_is_away_is_waited_for(fleet: FleetUnderTest) -> None:
    """The certificate in force stays; the host tells it in its journal, and renews when the authority is back.

    Last of all: away for longer than what is left of a certificate, it leaves a host that has to enrol again.
    """
    fleet.on("spark-01", f"systemctl stop {AUTHORITY}")
    try:
        journal = f"journalctl -u {SERVICE} -o cat --since -10s"
        until(lambda: "no authority answered" in fleet.on("spark-01", journal).text, "a refusal", LIFETIME_S + 60)
        before = serial(fleet, "spark-01")
    finally:
        fleet.on("spark-01", f"systemctl start {AUTHORITY}")
    until(lambda: serial(fleet, "spark-01") != before, "the renewal", LIFETIME_S)
