"""Samples on their way to AMP: signed as botocore would, never dropped for a refusal, taken from Prometheus alone."""

from __future__ import annotations

import datetime as dt
import json
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.host import sample_writer
from sparkfleet.host.sample_writer import Session, Sessions, Writer, signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.timezone.utc)  # noqa: UP017  (as the program has it)
HOUR = dt.timedelta(hours=1)
REGION = "eu-west-1"
BODY = b"samples"


@given(
    path=st.from_regex(r"(/[a-z0-9_-]{1,9}){1,4}", fullmatch=True),
    body=st.binary(max_size=99),
    secret=st.from_regex(r"[A-Za-z0-9/+]{40}", fullmatch=True),
    token=st.from_regex(r"[A-Za-z0-9/+=]{0,60}", fullmatch=True),
)
def test_a_request_is_signed_as_botocore_signs_it(path: str, body: bytes, secret: str, token: str) -> None:
    """Two programs that were written apart come to one signature."""
    url = f"https://aps-workspaces.{REGION}.amazonaws.com{path}"
    ours = signed(url, {}, body, Session("ASIAKEY", secret, token, NOW + HOUR), REGION, NOW)

    request = AWSRequest("POST", url, data=body)
    request.context["timestamp"] = ours["x-amz-date"]
    request.headers["X-Amz-Date"] = ours["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    theirs = SigV4Auth(Credentials("ASIAKEY", secret, token or None), "aps", REGION)
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    assert ours["authorization"].rpartition("Signature=")[2] == theirs.signature(text, request)


@dataclass
class Amp:
    """A workspace that answers with `status`, and what it was sent."""

    status: int = 204
    sent: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def amp() -> Iterator[Amp]:
    """On loopback, without TLS."""
    here = Amp()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            here.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            here.sent.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(here.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    here.url = f"http://127.0.0.1:{server.server_port}/workspaces/ws/api/v1/remote_write"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield here
    server.shutdown()
    server.server_close()


@dataclass
class Asked:
    """A credential_process that counts how often it was run, and can fail."""

    folder: Path

    @property
    def command(self) -> list[str]:
        """What the writer runs."""
        ends = (dt.datetime.now(dt.timezone.utc) + HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: UP017
        answer = {"AccessKeyId": "ASIA1", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": ends}
        script = f"open('runs', 'a').write('x'); print('{json.dumps(answer)}')"
        script = f"import os, sys; os.chdir({str(self.folder)!r}); os.path.exists('away') and sys.exit(1); {script}"
        return [sys.executable, "-c", script]

    @property
    def times(self) -> int:
        """How often it answered."""
        runs = self.folder / "runs"
        return len(runs.read_text()) if runs.exists() else 0

    def go_away(self) -> None:
        """Fail from now on."""
        (self.folder / "away").touch()


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """In a folder of its own."""
    return Asked(tmp_path)


def writer(amp: Amp, asked: Asked) -> Writer:
    """As its unit starts it."""
    return Writer(amp.url, REGION, "right", Sessions(asked.command))


HEADERS = {"authorization": "Bearer right", "content-encoding": "snappy", "cookie": "x"}


def test_samples_go_on_as_they_came_and_signed(amp: Amp, asked: Asked) -> None:
    """The bytes and what says how to read them; neither Prometheus' own token nor anything else."""
    one = writer(amp, asked)

    assert [one.write(HEADERS, BODY)[0] for _ in range(3)] == [204, 204, 204]
    assert amp.bodies == [BODY] * 3
    assert amp.sent[0]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=ASIA1/")
    assert (amp.sent[0]["x-amz-security-token"], amp.sent[0]["content-encoding"]) == ("t", "snappy")
    assert "cookie" not in amp.sent[0]
    assert asked.times == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_drops_no_samples_and_asks_for_another_session(amp: Amp, asked: Asked, status: int) -> None:
    """Prometheus throws samples away after a 4xx; a role that is mended in an hour must find them."""
    amp.status = status
    one = writer(amp, asked)

    assert [one.write(HEADERS, BODY)[0] for _ in range(2)] == [503, 503]
    assert asked.times == 2


@pytest.mark.parametrize("status", [400, 429, 500])
def test_other_answers_are_amp_s_own(amp: Amp, asked: Asked, status: int) -> None:
    """Prometheus knows what each of them asks of it."""
    amp.status = status
    assert writer(amp, asked).write(HEADERS, BODY)[0] == status


@pytest.mark.parametrize("shown", ["", "Bearer wrong", "Bearer rightt"])
def test_whoever_is_not_prometheus_writes_nothing(amp: Amp, asked: Asked, shown: str) -> None:
    """Everybody on the host reaches loopback."""
    assert writer(amp, asked).write({"authorization": shown}, BODY)[0] == 403
    assert (amp.sent, asked.times) == ([], 0)


def test_a_session_is_used_to_its_end_while_nobody_gives_another(asked: Asked) -> None:
    """Then there is none, and samples wait in Prometheus."""
    sessions, now = Sessions(asked.command), dt.datetime.now(dt.timezone.utc)  # noqa: UP017
    first = sessions.get(now)
    asked.go_away()

    assert first is not None
    assert sessions.get(now + HOUR * 0.99 - dt.timedelta(seconds=5)) == first
    assert sessions.get(now + HOUR) is None


def test_it_serves_over_http_and_says_when_it_has_no_session(amp: Amp, asked: Asked) -> None:
    """As Prometheus sees it: 204 without a body, 503 with the reason."""
    one = writer(amp, asked)
    server = sample_writer.serve(one, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/", BODY, HEADERS)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (our own server)
            assert (answer.status, answer.read()) == (204, b"")
        asked.go_away()
        one.sessions.forget()
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            urllib.request.urlopen(request, timeout=10)  # noqa: S310
        assert b"there is no session" in caught.value.read()
    finally:
        server.shutdown()
        server.server_close()
