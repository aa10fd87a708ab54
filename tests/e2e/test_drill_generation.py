"""`authority.generation` is raised while a host is away → it keeps its access, and the key before leaves when it came.

Real step-ca, real `pulumi up`, real signatures; the account is simulated.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509

from lab.spark import step_ca
from sparkfleet import config
from sparkfleet.cloud import overlap
from sparkfleet.host import roles_anywhere
from sparkfleet.host.parts.identity import FOLDER
from tests.e2e import footprint
from tests.e2e.short_memory import Stand
from tests.e2e.under_test import FleetUnderTest, adopted_fleet
from tests.lab.rolesanywhere.conftest import grant
from tests.lab.rolesanywhere.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.e2e.footprint import Footprint

pytestmark = [pytest.mark.lab, pytest.mark.drill]

HERE, AWAY = "spark-01", "spark-02"


def with_identities(described: dict[str, Any]) -> None:
    """The authority is on the host that stays."""
    described["sparkfleet:hosts"][HERE]["roles"] += ["authority", "identity"]
    described["sparkfleet:hosts"][AWAY]["roles"] += ["identity"]


@pytest.fixture(scope="module")
def before() -> dict[str, Footprint]:
    """Host to what it was when it had been adopted."""
    return {}


@pytest.fixture(scope="module")
def fleet(before: dict[str, Footprint]) -> Iterator[FleetUnderTest]:
    """Two converged stand-ins."""
    with adopted_fleet(FleetUnderTest, "drill", 2, with_identities) as made:
        step_ca.install(made.instance, HERE)
        before.update({host: footprint.of(made, host) for host in made.hosts})
        done = made.pulumi("up", "--yes", "--skip-preview")
        assert done.code == 0, done.text
        yield made


def anchors(fleet: FleetUnderTest) -> Sequence[x509.Certificate]:
    """What `pulumi up` would tell an account now: the generation in force first."""
    described = config.load(fleet.stack, fleet.instance.root)
    issuing = described.controller.authority / str(described.authority.generation) / "issuing.crt"
    found = overlap.bundle(issuing.read_text(), overlap.before(described, dt.datetime.now(dt.UTC)))
    return x509.load_pem_x509_certificates(found.encode())


def pair(fleet: FleetUnderTest, host: str, place: Path) -> Path:
    """A copy of a host's key and certificate of this moment."""
    place.mkdir()
    for name in ("host.key", "host.crt"):
        shutil.copyfile(fleet.tree(host) / FOLDER.removeprefix("/") / name, place / name)
    return place


def session(pair: Path, anchors: Sequence[x509.Certificate]) -> str:
    """The name that gets a session with a pair, by the host's own program; or why it gets none."""
    account = serve(pair, grant, anchors=anchors)
    (pair / "roles-anywhere.json").write_text(json.dumps(account.told))
    words = [sys.executable, "-IS", roles_anywhere.__file__, "session", str(pair / "roles-anywhere.json")]
    try:
        subprocess.run(words, capture_output=True, timeout=60, check=False)
    finally:
        account.endpoint.stop()
    return (account.endpoint.asked or account.endpoint.refused)[-1]


def test_a_host_that_was_away_loses_nothing(fleet: FleetUnderTest, tmp_path: Path) -> None:
    """Both certificates are trusted until it enrolled anew; then its old one is refused, and nothing is left to do."""
    [first] = anchors(fleet)
    Stand(fleet, AWAY).says("systemctl stop ssh")
    fleet.described(lambda described: described["sparkfleet:authority"].update(generation=2))

    up = fleet.pulumi("up", "--yes", "--skip-preview")

    assert (up.code != 0, AWAY in up.text) == (True, True), up.text
    second, other = both = anchors(fleet)
    assert (other, second != first) == (first, True)
    here, away = (pair(fleet, host, tmp_path / host) for host in (HERE, AWAY))
    assert Stand(fleet, AWAY).says("/usr/bin/python3 -IS /usr/local/lib/sparkfleet/identity.py state") == "valid\n"
    assert [session(one, both) for one in (here, away)] == [HERE, AWAY]
    assert session(here, [second]) == HERE
    assert "No path leads" in session(away, [second])  # without the other it would have lost its access

    Stand(fleet, AWAY).says("systemctl start ssh")
    back = fleet.pulumi("up", "--yes", "--skip-preview")

    assert back.code == 0, back.text
    assert anchors(fleet) == [second]
    assert session(pair(fleet, AWAY, tmp_path / "back"), [second]) == AWAY
    again = fleet.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert again.code == 0, again.text


def test_a_stolen_key_is_trusted_no_more_at_once(fleet: FleetUnderTest) -> None:
    """Before any host has enrolled anew: the description says whose certificates count no more."""
    fleet.described(lambda described: described["sparkfleet:authority"].update(generation=3))
    Stand(fleet, AWAY).says("systemctl stop ssh")
    try:
        up = fleet.pulumi("up", "--yes", "--skip-preview")
    finally:
        Stand(fleet, AWAY).says("systemctl start ssh")
    assert up.code != 0
    third, _second = anchors(fleet)

    fleet.described(lambda described: described["sparkfleet:authority"].update(stolen=[2]))

    assert anchors(fleet) == [third]


@pytest.mark.parametrize("host", [AWAY, HERE])
def test_a_reset_leaves_nothing_of_it(fleet: FleetUnderTest, before: dict[str, Footprint], host: str) -> None:
    """Key, certificate, timer and authority go with everything else."""
    done = fleet.spark("reset", host, "--yes", host)
    assert done.code == 0, done.text
    assert footprint.unexplained(fleet, host, before[host]) == []
