"""A host and its authority, real step-ca and real TLS: enrolment, renewal in time, and everything that is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.sparkfleet.identity.step_ca import DUE_S, LIFETIME_S, Host, StepCa

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_host_enrols(host: Host) -> None:
    """A token brings a certificate with the host's name, for a key that root alone reads; servers take the pair."""
    assert host.run("state").stdout == "absent\n"
    host.enrol()
    assert host.run("state").stdout == "valid\n"
    assert (host.folder / "host.key").stat().st_mode & 0o777 == 0o600
    assert host.lets_in() == ""


def test_the_name_is_the_tokens(ca: StepCa, host: Host) -> None:
    """A host that asks by another one's name gets nothing, whosever token it has."""
    stranger = Host(host.root, "spark-02", ca)
    stranger.prepare()
    asked = stranger.run("enrol", ca.token("spark-01"))
    assert asked.returncode == 1
    assert "refused (4" in asked.stderr
    assert not (host.folder / "host.crt").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ca: ca.token("spark-02", enrolled_as="spark-01"),  # whose template says spark-01
        lambda ca: ca.token("spark-01", now=time.time() - 3600),
        lambda ca: ca.token("spark-01")[:-8] + "AAAAAAAA",
        lambda _: "no token at all",
        lambda _: "",
    ],
    ids=["of another host's key", "expired", "forged", "none", "empty"],
)
def test_what_is_no_token_for_this_host_brings_nothing(host: Host, ca: StepCa, spoil: Callable[[StepCa], str]) -> None:
    """The authority takes a fresh token, signed by the host's enrolment key, for that host."""
    asked = host.run("enrol", spoil(ca))
    assert asked.returncode == 1
    assert not (host.folder / "host.crt").exists()


def test_a_token_is_used_once(host: Host, ca: StepCa) -> None:
    """Whoever saw a token in passing has nothing."""
    token = ca.token("spark-01")
    assert host.run("enrol", token).returncode == 0
    again = host.run("enrol", token)
    assert (again.returncode, "already been used" in again.stderr or "refused (401)" in again.stderr) == (1, True)


def test_nothing_is_asked_before_two_thirds_of_the_life(enrolled: Host) -> None:
    """A certificate that is young stays; the dates are told all the same."""
    before = enrolled.files()
    assert enrolled.run("renew").returncode == 0
    assert enrolled.files() == before
    assert enrolled.metrics().count('kind="host"') == 2


def test_after_two_thirds_the_next_certificate_is_there(enrolled: Host) -> None:
    """Renewed over mutual TLS, by the same key, for the same name."""
    before = enrolled.files()
    done = enrolled.at("renew", DUE_S)
    assert done.returncode == 0, done.stderr
    after = enrolled.files()
    assert after["host.key"] == before["host.key"]
    assert after["host.crt"] != before["host.crt"]
    assert enrolled.run("state").stdout == "valid\n"
    assert enrolled.lets_in() == ""


def test_an_expired_certificate_is_not_renewed(enrolled: Host) -> None:
    """It says so, keeps what is there, and tells that the host has to enrol again."""
    before = enrolled.files()
    assert enrolled.at("state", LIFETIME_S + 5).stdout == "expired\n"
    done = enrolled.at("renew", LIFETIME_S + 5)
    assert (done.returncode, "pulumi up" in done.stderr) == (1, True)
    assert enrolled.files() == before


def test_a_clock_that_is_behind_changes_nothing(enrolled: Host) -> None:
    """A certificate that has yet to begin by the host's clock is in force: others have the right time."""
    assert enrolled.at("state", -86400).stdout == "valid\n"
    assert enrolled.at("renew", -86400).returncode == 0


def test_another_authority_is_nobody(enrolled: Host, tmp_path: Path) -> None:
    """A host trusts its fleet's root alone: what answers at the address is not asked, nor is its certificate kept."""
    other = StepCa(tmp_path / "other", ["spark-01"])
    other.folder.mkdir()
    other.configure()
    other.start()
    try:
        enrolled.prepare([f"127.0.0.1:{other.port}"])
        before = enrolled.files()
        done = enrolled.at("renew", DUE_S)
        assert (done.returncode, "CERTIFICATE_VERIFY_FAILED" in done.stderr) == (1, True), done.stderr
        assert enrolled.files() == before
        # And the other way round: that authority does not know who comes with a certificate of ours.
        (enrolled.folder / "authority.crt").write_text((other.kept / "1" / "issuing.crt").read_text())
        assert enrolled.run("state").stdout == "foreign\n"
        (enrolled.folder / "host.crt").write_bytes(before["host.crt"])
        assert enrolled.run("renew").returncode == 1
    finally:
        other.stop()


def test_a_stolen_issuing_key_renews_nothing_after_it_was_replaced(ca: StepCa, enrolled: Host) -> None:
    """Raising the generation ends what the key before has signed: nobody renews it, and the host enrols again.

    A host that was away then asks in vain, keeps what it has, and does not count as refused.
    """
    assert enrolled.is_renewed_by(ca)
    try:
        ca.stop()
        ca.generation = 2
        ca.configure()
        ca.start()
        assert not enrolled.is_renewed_by(ca)
        before, asked = enrolled.files(), enrolled.at("renew", DUE_S)
        assert (asked.returncode, "CERTIFICATE_VERIFY_FAILED" in asked.stderr) == (1, True), asked.stderr
        assert (enrolled.files(), enrolled.run("state").stdout) == (before, "valid\n")
        enrolled.prepare()
        assert enrolled.run("state").stdout == "foreign\n"
        enrolled.enrol()
        assert enrolled.run("state").stdout == "valid\n"
    finally:
        ca.stop()
        ca.generation = 1
        ca.configure()
        ca.start()


def test_a_certificate_of_another_host_is_foreign(enrolled: Host, ca: StepCa) -> None:
    """A name that is not the host's is told, whoever signed it."""
    Host(enrolled.root, "spark-02", ca).prepare()
    assert enrolled.run("state").stdout == "foreign\n"


def test_who_left_is_not_renewed(ca: StepCa, tmp_path: Path) -> None:
    """The authority forgot by which key it came in: refused, what there is stays, and `state` asks for another."""
    gone = Host(tmp_path, "spark-02", ca)
    gone.prepare()
    gone.enrol()
    before = gone.files()
    try:
        ca.stop()
        ca.configure(["spark-01"])
        ca.start()
        done = gone.at("renew", DUE_S)
        assert (done.returncode, "retired" in done.stderr) == (1, True), done.stderr
        assert gone.files() == before
        assert gone.run("state").stdout == "refused\n"
        # A new machine by that name comes in with another key; the one that left is still nobody.
        ca.stop()
        ca.configure(["spark-01", "spark-02"])
        ca.start()
        assert gone.at("renew", DUE_S).returncode == 1
        gone.enrol()
        assert gone.run("state").stdout == "valid\n"
    finally:
        ca.stop()
        ca.configure(["spark-01", "spark-02"])
        ca.start()
