"""When the issuing key is replaced: what an account trusts beside the new one, for whose sake, and until when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from sparkfleet.cloud import authority_files, overlap, pki
from sparkfleet.cloud.authority import AuthorityProvider
from sparkfleet.model import Fleet
from sparkfleet.rotate.authority import revoke
from sparkfleet.rotate.story import Story

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOW = dt.datetime.now(dt.UTC)


@dataclass
class Site:
    """A controller's folder and what is described; hosts enrol by the note that `pulumi up` takes of it."""

    folder: Path
    hosts: tuple[str, ...] = ("spark-01", "spark-02")
    generation: int = 1
    stolen: tuple[int, ...] = ()

    @property
    def fleet(self) -> Fleet:
        """As described now; the first host is the authority."""
        hosts = {host: {"addresses": ["192.0.2.1"], "roles": ["identity"]} for host in self.hosts}
        hosts[self.hosts[0]]["roles"].append("authority")
        authority = {"generation": self.generation, "stolen": list(self.stolen)}
        controller = {"folder": str(self.folder)}
        return Fleet.model_validate({"fleet": "test", "hosts": hosts, "authority": authority, "controller": controller})

    def up(self, *reached: str) -> overlap.Before | None:
        """What `pulumi up` trusts beside the new key; then it makes the authority, and enrols whom it reaches."""
        trusted = overlap.before(self.fleet, NOW)
        AuthorityProvider().create(authority_files.described(self.fleet))
        assert overlap.before(self.fleet, NOW) == trusted  # as was previewed
        for host in reached:
            overlap.note(self.fleet, host)
        return trusted

    def waits_for(self) -> dict[int, tuple[str, ...]]:
        """The other generation that would be trusted now, and for whose sake."""
        found = overlap.before(self.fleet, NOW)
        return {found.generation: found.hosts} if found else {}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two enrolled hosts."""
    made = Site(tmp_path)
    assert made.up("spark-01", "spark-02") is None
    return made


def test_the_key_before_is_trusted_until_the_last_host_enrolled(site: Site) -> None:
    """From the first moment on, so that no host is without access; the `up` after the last enrolment ends it."""
    site.generation = 2
    assert site.waits_for() == {1: ("spark-01", "spark-02")}
    before = site.up("spark-01")
    assert site.waits_for() == {1: ("spark-02",)}
    issuing = (site.fleet.controller.authority / "2/issuing.crt").read_text()
    both = x509.load_pem_x509_certificates(overlap.bundle(issuing, before).encode())
    assert [one.subject.rfc4514_string()[:17] for one in both] == ["CN=test issuing 2", "CN=test issuing 1"]
    site.up("spark-02")
    assert overlap.bundle(issuing, site.up()) == issuing


def test_hosts_of_which_no_note_was_taken_are_waited_for(site: Site) -> None:
    """A release before this one took none: whoever may ask has a certificate of the last key."""
    for note in (site.fleet.controller.authority / "enrol").glob("*.generation"):
        note.unlink()
    assert site.waits_for() == {}
    site.generation = 2
    site.hosts += ("spark-03",)  # comes with the new key and has nothing of the old one
    assert site.up("spark-01", "spark-03")
    assert site.waits_for() == {1: ("spark-02",)}


def test_a_stolen_key_is_not_waited_for(site: Site) -> None:
    """Whoever has no other certificate is without access until it enrols, and so is the thief."""
    site.generation, site.stolen = 2, (1,)
    assert site.up("spark-01") is None
    assert site.waits_for() == {}


def test_who_retires_the_authority_is_told_to_name_its_key(site: Site) -> None:
    """Whoever has the machine has the key: it must not be trusted for a while."""
    site.generation = 2
    fleet = site.fleet
    [told] = revoke(fleet, "spark-01", "", Story(fleet, "retire", print))
    assert "name 2 in authority.stolen" in told


def test_nobody_brings_an_old_key_back(site: Site) -> None:
    """Neither a host that joins after it was replaced, nor one that leaves and comes again."""
    site.generation = 2
    site.up("spark-01")
    site.hosts = ("spark-01", "spark-03")
    assert site.up("spark-03") is None
    site.hosts = ("spark-01", "spark-02", "spark-03")
    assert site.up() is None
    assert site.waits_for() == {}


def test_a_host_that_missed_two_keys_has_its_turn(site: Site) -> None:
    """AWS takes two certificates: the newest that hosts hold goes first, then the one before it."""
    site.hosts += ("spark-03",)
    site.up("spark-03")
    site.generation = 2
    site.up("spark-01", "spark-02")
    site.generation = 3
    assert site.up("spark-01") is not None
    assert site.waits_for() == {2: ("spark-02",)}
    site.up("spark-02")
    assert site.waits_for() == {1: ("spark-03",)}


def test_what_has_expired_is_not_trusted(site: Site) -> None:
    """All that an expired key has signed has expired, too."""
    site.generation = 2
    assert overlap.before(site.fleet, NOW + 11 * pki.YEAR) is None


@given(st.dictionaries(st.text("ab", min_size=1), st.integers(1, 5)), st.integers(1, 5), st.lists(st.integers(1, 5)))
def test_only_what_is_held_and_sound_is_trusted(held: dict[str, int], generation: int, stolen: Sequence[int]) -> None:
    """Never the one in force a second time, never a stolen one; none only where no host needs one."""
    found = overlap.kept(held, generation, stolen)
    needed = set(held.values()) - {generation} - set(stolen)
    assert found in needed if needed else found is None
