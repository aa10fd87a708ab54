"""On a stand-in: root has the key, Prometheus has a socket, everybody else has nothing. The account is simulated."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.host.parts import sessions
from tests.e2e import footprint
from tests.e2e.under_test import FleetUnderTest, adopted_fleet, until
from tests.lab.rolesanywhere.certificates import DAY, issue
from tests.lab.rolesanywhere.conftest import grant
from tests.lab.rolesanywhere.served import REGION, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.footprint import Footprint
    from tests.lab.rolesanywhere.served import Anywhere

pytestmark = [pytest.mark.lab, pytest.mark.drill]

LAB, HOST = "drill", "spark-01"
PORT = 9201  # where samples are written to
AUTHORITY = "/etc/ssl/sparkfleet-drill.crt"
FOLDER = sessions.CONFIG.rpartition("/")[0]
# What `pulumi up` does for a host; the account's own resources cannot be made here.
CONVERGE = """
import sys
from pathlib import Path
from sparkfleet import config
from sparkfleet.cloud.sessions import note
from sparkfleet.host import sources
from sparkfleet.host.converge import converge
from sparkfleet.host.desired import desired
fleet = config.load(sys.argv[1], Path())
note(fleet.controller, sys.argv[2], sys.argv[3])
converge(fleet, sys.argv[2], desired(fleet, sys.argv[2], sources.read(fleet)).settings, say=print)
"""


@dataclass
class Written:
    """Who wrote samples: the credential and the token of each request."""

    requests: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Here:
    """The lab, the account, and what Prometheus writes."""

    fleet: FleetUnderTest
    anywhere: Anywhere
    written: Written
    before: Footprint

    def session(self, user: str, profile: str) -> Any:
        """What the profile's command says to a user of the host."""
        text = (self.fleet.tree(HOST) / sessions.PROFILES.removeprefix("/")).read_text()
        command = text.partition(f"[profile {profile}]")[2].partition("credential_process = ")[2].splitlines()[0]
        return self.fleet.on(HOST, f"runuser -u {user} -- {command}")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """A monitor whose samples go to an account, with a certificate of an authority that the account trusts."""
    folder = tmp_path_factory.mktemp("account")
    written, stop = receive()
    with adopted_fleet(FleetUnderTest, LAB, 1, lambda config: with_account(config, folder)) as fleet:
        gateway = fleet.instance.gateway
        before = footprint.of(fleet, HOST)
        anywhere = serve(folder, grant, address=gateway)
        enrol(fleet, anywhere)
        told = json.dumps({**anywhere.told, "ca_bundle": AUTHORITY}) + "\n"
        up = fleet.run(sys.executable, "-c", CONVERGE, fleet.stack, HOST, told, timeout_s=1800)
        assert up.code == 0, up.text
        yield Here(fleet, anywhere, written, before)
        anywhere.endpoint.stop()
    stop()


def with_account(config: dict[str, Any], folder: Path) -> None:
    """The account; its authority is one of the owner's own."""
    (folder / "trust.pem").write_bytes(issue("issuing", ca=True).chain_pem)
    aws = {"region": REGION, "bucket_prefix": "drill", "trust_bundle": str(folder / "trust.pem")}
    config["sparkfleet:hosts"][HOST]["roles"] = ["monitor"]
    config["sparkfleet:cloud"] = {"provider": "aws", "aws": aws}
    gateway = config["sparkfleet:hosts"][HOST]["addresses"][0].rpartition(".")[0] + ".1"
    config["sparkfleet:monitoring"]["amp"] = {
        "region": REGION,
        "workspace_id": "ws-00000000-0000-4000-8000-000000000000",
        "remote_write_url": f"http://{gateway}:{PORT}/api/v1/remote_write",
    }


def enrol(fleet: FleetUnderTest, anywhere: Anywhere, **wrong: Any) -> None:
    """Give the host a certificate, as whoever runs that authority does."""
    place = issue(HOST, anywhere.issuing, **wrong).write(fleet.tree(HOST) / FOLDER.removeprefix("/"))
    (place / "host.key").chmod(0o600)
    (fleet.tree(HOST) / AUTHORITY.removeprefix("/")).write_bytes((anywhere.folder / "tls.crt").read_bytes())


def receive() -> tuple[Written, Any]:
    """Take what Prometheus writes."""
    written = Written()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            signer = self.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0]
            written.requests.append((signer, self.headers.get("X-Amz-Security-Token", "")))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("", PORT), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return written, server.shutdown


def test_prometheus_writes_its_samples_with_a_session(here: Here) -> None:
    """Signed by the program beside it: Debian's Prometheus, asked to sign by itself, sends no signature at all."""
    signer, token = until(lambda: here.written.requests, "samples are written", within_s=90)[-1]
    key, _, region, service, _ = signer.split("/")
    assert (key, region, service, token) == ("ASIA-spark-01", REGION, "aps", "t")


def test_nobody_else_writes_samples(here: Here) -> None:
    """Everybody on the host reaches loopback, and Prometheus alone reads the token."""
    post = here.fleet.tree(HOST) / "root/post.py"
    post.write_text(
        "import http.client\n"
        f"at = http.client.HTTPConnection('127.0.0.1', {sessions.SAMPLES['port']})\n"
        "at.request('POST', '/', b'x')\n"
        "print(at.getresponse().status)\n"
    )
    try:
        posted = here.fleet.on(HOST, "/usr/bin/python3 /root/post.py")
    finally:
        post.unlink()
    reads = here.fleet.on(HOST, f"runuser -u nobody -- cat {sessions.SAMPLES['token']}")

    assert posted.text.strip() == "403"
    assert "Permission denied" in reads.text


def test_a_socket_is_its_user_s_alone(here: Here) -> None:
    """Prometheus gets a session and cannot read the key; nobody gets neither."""
    own, other = (here.session(user, "sparkfleet-prometheus") for user in ("prometheus", "nobody"))
    reads = here.fleet.on(HOST, f"runuser -u prometheus -- cat {shlex.quote(FOLDER)}/host.key")

    assert json.loads(own.text)["AccessKeyId"] == "ASIA-spark-01", own.text
    assert other.code != 0
    assert "PermissionError" in other.text
    assert reads.code != 0
    assert "Permission denied" in reads.text


def test_a_second_look_finds_nothing_to_change(here: Here) -> None:
    """The controller's note is enough for `spark plan`; every check passes."""
    assert here.fleet.changes(HOST) == {HOST: []}
    verified = here.fleet.spark("verify", HOST)
    assert verified.code == 0, verified.text


def test_an_expired_certificate_is_told_where_people_look(here: Here) -> None:
    """In the journal of the service, and to whoever asked."""
    enrol(here.fleet, here.anywhere, begins=-2 * DAY, ends=-DAY)
    try:
        asked = here.session("prometheus", "sparkfleet-prometheus")
        journal = here.fleet.on(HOST, "journalctl -q -o cat -u sparkfleet-credentials.service")
    finally:
        enrol(here.fleet, here.anywhere)
    for said in (asked.text, journal.text):
        assert "Certificate has expired" in said
        assert "systemctl start sparkfleet-identity.service" in said


def test_a_reset_leaves_nothing_of_it(here: Here) -> None:
    """Profiles, sockets, programs, key and certificate go with everything else."""
    done = here.fleet.spark("reset", HOST, "--yes", HOST)
    assert done.code == 0, done.text
    (here.fleet.tree(HOST) / AUTHORITY.removeprefix("/")).unlink()  # of the simulated account
    assert footprint.unexplained(here.fleet, HOST, here.before) == []
