"""What runs as root on a host sees no secret that it has no business with: root reads files without a capability."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.host.desired import desired
from sparkfleet.host.parts import HIDDEN
from tests.sparkfleet.host.conftest import description

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources

STORE_KEY, AUTHORITY = "/etc/sparkfleet/s3.json", "/etc/sparkfleet/identity/authority.crt"
NEEDED = {
    "spark-node@.service": {STORE_KEY, AUTHORITY},
    "sparkfleet-datasets.service": {STORE_KEY, AUTHORITY},
    "sparkfleet-identity.service": {AUTHORITY},
}


def with_every_secret() -> dict[str, Any]:
    """spark-02 is given all that a description can name."""
    raw = description()
    every = ["authority", "identity", "containers", "node", "datasets", "label", "exporter", "monitor", "grafana"]
    raw["hosts"]["spark-02"]["roles"] = every
    raw["hosts"]["spark-01"]["roles"] = ["exporter", "identity"]
    raw["access"]["console"] = {"password_hash": "file:/srv/console"}
    raw["containers"] = {"ngc_key": "file:/srv/ngc", "ngc_registry": "registry.example"}
    raw["monitoring"]["grafana"] = {"mode": "install", "admin_password": "file:/srv/admin", "url": "https://g.example"}
    raw["calypso"] = {"url": "http://calypso:8001"}
    raw["label"] = {
        "label_studio": {"url": "https://labels.example", "token": "file:/srv/token"},
        "calypso": {"admin_key": "env:KEY"},
    }
    return raw


@pytest.mark.parametrize("unit", NEEDED)
def test_a_service_of_root_sees_the_secrets_that_it_needs_and_no_other(project_sources: Sources, unit: str) -> None:
    """Of all that are brought to a host, and of those that the system has itself."""
    found = desired(config.parse(with_every_secret()), "spark-02", project_sources)
    brought = {path for parts in found.parts.values() for path in parts.secrets}
    text = found.files[f"/etc/systemd/system/{unit}"].content.decode()
    (hidden,) = re.findall(r"^InaccessiblePaths=(.*)$", text, re.MULTILINE)
    places = hidden.split()

    assert len(brought) > 8
    assert all(place.startswith("-/") for place in places)  # what is not there is no fault
    assert {place.removeprefix("-") for place in places} == ({*HIDDEN} | brought) - NEEDED[unit]
