"""The simulated service against another client than ours, and against requests that somebody has touched."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import environments
from lab.rolesanywhere.request import RefusedError, Request, check
from sparkfleet.host import roles_anywhere
from tests.lab.rolesanywhere.certificates import Pair, issue
from tests.lab.rolesanywhere.served import ANCHOR, PROFILE, REGION, ROLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.rolesanywhere.served import Anywhere

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
AWS_CLIENT = """
import json, sys
from iam_rolesanywhere_session import IAMRolesAnywhereSession
given = IAMRolesAnywhereSession(**json.loads(sys.argv[1])).get_session().get_credentials().get_frozen_credentials()
print(given.access_key)
"""


def test_the_library_of_aws_is_let_in_and_refused_as_ours_is(anywhere: Anywhere) -> None:
    """iam-rolesanywhere-session signs for itself: what the service takes for a signature is not our idea alone."""
    python = environments.python(environments.ensure("rolesanywhere"))

    def ask(name: str) -> subprocess.CompletedProcess[str]:
        pair = issue(name, anywhere.issuing)
        folder = pair.write(anywhere.folder / name)
        Pair(pair.above[0], pair.key).write(folder, "above")
        words = {
            "profile_arn": PROFILE,
            "role_arn": ROLE,
            "trust_anchor_arn": ANCHOR,
            "certificate": str(folder / "host.crt"),
            "certificate_chain": str(folder / "above.crt"),
            "private_key": str(folder / "host.key"),
            "region": REGION,
            "endpoint": anywhere.url.removeprefix("https://"),
            "verify": str(anywhere.folder / "tls.crt"),
        }
        return subprocess.run(
            [python, "-I", "-c", AWS_CLIENT, json.dumps(words)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert ask("spark-01").stdout == "ASIA-spark-01\n"
    assert 'does not name "spark-09"' in ask("spark-09").stderr


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Request:
    """What a host of the fleet sends."""
    pair = issue("spark-01", issue("issuing", issue("authority", ca=True), ca=True))
    identity = roles_anywhere.read_identity(pair.write(tmp_path_factory.mktemp("host")))
    told = {"region": REGION, "endpoint": "https://x", "trust_anchor_arn": ANCHOR}
    sent = roles_anywhere.signed({**told, "profile_arn": PROFILE, "role_arn": ROLE}, identity, NOW)
    assert isinstance(sent.data, bytes)
    return Request("POST", "/sessions", {name.lower(): value for name, value in sent.header_items()}, sent.data)


def test_what_a_host_sends_is_whole(signed: Request) -> None:
    """The untouched request is let in: what follows is refused for its change alone."""
    presented = check(signed, REGION, NOW)
    assert (len(presented.chain), presented.certificate.subject.rfc4514_string()) == (1, "CN=spark-01")


@given(data=st.data())
def test_no_byte_of_a_signed_request_can_be_changed(signed: Request, data: st.DataObject) -> None:
    """Neither in the body, nor in a header that counts, nor in the path or the method."""
    place = data.draw(st.sampled_from(["body", "path", "method", *signed.headers.keys() - {"content-length"}]))
    text = signed.headers.get(place) or {"body": signed.body.decode()}.get(place) or getattr(signed, place)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(
        st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c.lower() != text[at].lower())
    )
    changed = text[:at] + other + text[at + 1 :]
    request = {
        "body": Request(signed.method, signed.path, signed.headers, changed.encode()),
        "path": Request(signed.method, changed, signed.headers, signed.body),
        "method": Request(changed, signed.path, signed.headers, signed.body),
    }.get(place, Request(signed.method, signed.path, {**signed.headers, place: changed}, signed.body))
    with pytest.raises(RefusedError):
        check(request, REGION, NOW)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: {**h, "authorization": ""}, "Missing or unknown authorization"),
        (lambda h: {k: v for k, v in h.items() if k != "x-amz-x509"}, "Signed headers"),
        (lambda h: {**h, "authorization": h["authorization"].replace("host;", "")}, "Signed headers"),
        (lambda h: {**h, "authorization": h["authorization"].replace(";x-amz-x509-chain", "")}, "chain is not signed"),
        (lambda h: {**h, "x-amz-date": "yesterday"}, "X-Amz-Date cannot be read"),
        (lambda h: {**h, "x-amz-x509": "AAAA"}, "cannot be read"),
    ],
)
def test_what_must_be_signed_is(signed: Request, change: Callable[[dict[str, str]], dict[str, str]], said: str) -> None:
    """Leaving a header out of the signature is no way around it."""
    with pytest.raises(RefusedError, match=said):
        check(Request("POST", "/sessions", change(dict(signed.headers)), signed.body), REGION, NOW)


@pytest.mark.parametrize("skew", [-301, 301])
def test_a_request_of_another_time_is_refused(signed: Request, skew: int) -> None:
    """A request that was overheard opens nothing five minutes later, nor before its time."""
    with pytest.raises(RefusedError, match="expired or not yet current"):
        check(signed, REGION, NOW + dt.timedelta(seconds=skew))
    check(signed, REGION, NOW + dt.timedelta(seconds=skew // 2))


def test_a_request_for_another_region_is_refused(signed: Request) -> None:
    """Each region has an account's own trust anchors."""
    with pytest.raises(RefusedError, match="scoped to this region"):
        check(signed, "us-east-1", NOW)
