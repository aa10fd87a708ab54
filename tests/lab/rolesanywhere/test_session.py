"""A host's own program asks the simulated service for a session: who gets one, and what the others are told."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import roles_anywhere
from tests.lab.rolesanywhere.certificates import DAY, Pair, issue

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.rolesanywhere.served import Anywhere


def run(config: Path) -> subprocess.CompletedProcess[str]:
    """As an AWS SDK runs a credential_process."""
    words = [sys.executable, "-IS", roles_anywhere.__file__, "session", str(config)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_a_host_of_the_fleet_gets_a_session(anywhere: Anywhere) -> None:
    """With the certificate that names it, of an hour, in the words of a credential_process."""
    done = run(anywhere.host(issue("spark-01", anywhere.issuing)))
    assert json.loads(done.stdout) == {
        "Version": 1,
        "AccessKeyId": "ASIA-spark-01",
        "SecretAccessKey": "3600 s",
        "SessionToken": "t",
        "Expiration": "2126-11-22T00:00:00Z",
    }
    assert (done.returncode, done.stderr, anywhere.endpoint.asked) == (0, "", ["spark-01"])


REFUSED: dict[str, tuple[Callable[[Pair], Pair], str, str, str]] = {
    "expired": (
        lambda issuing: issue("spark-01", issuing, begins=-2 * DAY, ends=-DAY),
        "Certificate has expired",
        "it has expired on 20",
        "systemctl start sparkfleet-identity.service",
    ),
    "not yet": (
        lambda issuing: issue("spark-01", issuing, begins=DAY),
        "It is not valid yet",
        "this host's clock is behind",
        "timedatectl status",
    ),
    "wrong authority": (
        lambda _: issue("spark-01", issue("issuing", issue("authority", ca=True), ca=True)),
        "No path leads to the trust anchor",
        "another authority than the trust anchor's made it",
        "`pulumi up` on the controller",
    ),
    "wrong name": (
        lambda issuing: issue("spark-09", issuing),
        'does not name "spark-09"',
        "its name is not one of the role's hosts",
        "`pulumi up` on the controller",
    ),
    "signed by a host": (
        lambda issuing: issue("spark-01", issue("spark-02", issuing)),
        "No path leads to the trust anchor",
        "another authority",
        "`pulumi up` on the controller",
    ),
    "may not sign": (
        lambda issuing: issue("spark-01", issuing, usage="key_agreement"),
        "Its key may not sign",
        "another authority",
        "`pulumi up` on the controller",
    ),
    "an authority itself": (
        lambda issuing: issue("spark-01", issuing, ca=True),
        "not one of an end entity",
        "another authority",
        "`pulumi up` on the controller",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_certificate_that_is_not_the_fleets_is_refused(anywhere: Anywhere, why: str) -> None:
    """What the service said, what it usually means, what to do; and no session."""
    make, said, usually, next_step = REFUSED[why]
    done = run(anywhere.host(make(anywhere.issuing)))
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert usually in done.stderr.partition("This usually means: ")[2]
    assert next_step in done.stderr.partition("Next: ")[2]
    assert anywhere.endpoint.asked == []


def test_a_stolen_certificate_without_its_key_opens_nothing(anywhere: Anywhere) -> None:
    """The signature is what is checked, not the certificate."""
    own, stolen = issue("spark-02", anywhere.issuing), issue("spark-01", anywhere.issuing)
    done = run(anywhere.host(Pair(stolen.certificate, own.key, stolen.above)))
    assert (done.returncode, anywhere.endpoint.refused[-1]) == (1, "Signature does not match")


def test_a_renewal_between_two_reads_costs_one_more_request(
    anywhere: Anywhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old certificate was read with the new key: refused, read again, and let in."""
    old, new = issue("spark-01", anywhere.issuing), issue("spark-01", anywhere.issuing)
    config = anywhere.host(new)
    read, torn = roles_anywhere.read_identity, anywhere.host(Pair(old.certificate, new.key, old.above), "torn")
    folders = iter([torn.parent])
    monkeypatch.setattr(roles_anywhere, "read_identity", lambda folder: read(next(folders, folder)))
    assert roles_anywhere.session(config)["AccessKeyId"] == "ASIA-spark-01"
    assert anywhere.endpoint.refused == ["Signature does not match"]


def test_a_service_that_is_away_is_asked_three_times(anywhere: Anywhere, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the message says that nobody answered, not that the host was refused."""
    pauses: list[float] = []
    monkeypatch.setattr(roles_anywhere, "sleep", pauses.append)
    config = anywhere.host(issue("spark-01", anywhere.issuing))
    anywhere.endpoint.stop()
    with pytest.raises(roles_anywhere.SilentError, match=r"does not answer: .*refused"):
        roles_anywhere.session(config)
    assert pauses == [1.0, 2.0]


def test_a_service_without_the_right_tls_certificate_is_not_asked(
    anywhere: Anywhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever stands in between gets no signed request."""
    monkeypatch.setattr(roles_anywhere, "sleep", lambda _: None)
    config = anywhere.host(issue("spark-01", anywhere.issuing))
    config.write_text(json.dumps({**anywhere.told, "ca_bundle": ""}))
    with pytest.raises(roles_anywhere.SessionError, match="CERTIFICATE_VERIFY_FAILED"):
        roles_anywhere.session(config)
    assert anywhere.endpoint.refused == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "FileNotFoundError"),
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
        ('{"region": "eu-central-1"}', "KeyError"),
        (
            '{"region": "r", "trust_anchor_arn": "", "profile_arn": "", "role_arn": "", "endpoint": "http://x"}',
            "the endpoint is not https",
        ),
    ],
)
def test_a_host_that_was_told_nothing_says_so(tmp_path: Path, content: str | None, said: str) -> None:
    """And that `pulumi up` tells it."""
    file = tmp_path / "roles-anywhere.json"
    if content is not None:
        file.write_text(content)
    done = run(file)
    assert said in done.stderr
    assert "Next: `pulumi up` on the controller" in done.stderr


def test_a_host_without_a_certificate_says_so(anywhere: Anywhere) -> None:
    """And what enrols it."""
    config = anywhere.host(issue("spark-01", anywhere.issuing))
    (config.parent / "host.crt").unlink()
    assert "certificate in" in run(config).stderr


def test_the_times_of_a_certificate_are_read_as_they_are(anywhere: Anywhere) -> None:
    """In UTC, to the second, with the number in the form that AWS wants: decimal."""
    pair = issue("spark-01", anywhere.issuing)
    read = roles_anywhere.read_identity(pair.write(anywhere.folder / "read"))
    certificate = pair.certificate
    assert (read.name, read.serial) == ("spark-01", certificate.serial_number)
    assert (read.begins, read.ends) == (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    assert read.ends.tzinfo is dt.UTC
    assert len(read.chain) == 2
