"""The fleet's authority on the controller: made whole, kept for good, never made a second time over a first."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import secrets
from sparkfleet.cloud import authority_files, pki
from sparkfleet.cloud.authority import AuthorityProvider
from sparkfleet.errors import SparkfleetError

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


class KilledError(Exception):
    """The end of the process."""


def wanted(folder: Path, *hosts: str, **more: Any) -> dict[str, Any]:
    """What `pulumi up` asks for."""
    described = {"fleet": "lab", "folder": str(folder), "generation": 1, "names": ["10.0.0.1"]}
    return {**described, "port": 9443, "lifetime_s": 3600, "hosts": list(hosts), **more}


def known(folder: Path) -> dict[str, str]:
    """Host → key id, as step-ca is told."""
    provisioners = json.loads((folder / "ca.json").read_text())["authority"]["provisioners"]
    return {one["name"].partition("/")[0]: one["key"]["kid"] for one in provisioners}


def test_the_anchor_is_an_authority_that_the_root_signed(tmp_path: Path) -> None:
    """Both are what AWS asks of a trust anchor, now and until their ends; every file is the user's alone."""
    made = authority_files.ensure(wanted(tmp_path / "a", "spark-01"), NOW)
    root, issuing = (pki.certificate_of(made[name]) for name in ("root", "issuing"))
    assert pki.signed_by(issuing, root)
    assert not pki.signed_by(root, issuing)
    assert [pki.anchor_faults(one, NOW) for one in (root, issuing)] == [[], []]
    assert "expired" in pki.anchor_faults(issuing, NOW + 11 * pki.YEAR)[0]
    assert "clock" in pki.anchor_faults(issuing, NOW - pki.YEAR)[0]
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "a").rglob("*") if file.is_file()} == {0o600}


def test_nothing_is_made_twice(tmp_path: Path) -> None:
    """A second run finds everything; a new host has a key of its own, and another one when it comes back."""
    first = authority_files.ensure(wanted(tmp_path, "spark-01"), NOW)
    assert authority_files.ensure(wanted(tmp_path, "spark-01"), NOW) == first
    alone = known(tmp_path)
    both = authority_files.ensure(wanted(tmp_path, "spark-01", "spark-02"), NOW)
    assert (both["issuing"], both["held"] != first["held"]) == (first["issuing"], True)
    assert known(tmp_path)["spark-01"] == alone["spark-01"]
    gone = known(tmp_path)["spark-02"]
    authority_files.ensure(wanted(tmp_path, "spark-01"), NOW)
    assert known(tmp_path) == alone
    authority_files.ensure(wanted(tmp_path, "spark-01", "spark-02"), NOW)
    assert known(tmp_path)["spark-02"] != gone


def test_another_generation_has_another_key_below_the_same_root(tmp_path: Path) -> None:
    """The anchor is replaced; the root, and by which keys hosts come in, stay."""
    first = authority_files.ensure(wanted(tmp_path, "spark-01"), NOW)
    hosts = known(tmp_path)
    second = authority_files.ensure(wanted(tmp_path, "spark-01", generation=2), NOW)
    assert second["root"] == first["root"]
    assert second["fingerprint"] != first["fingerprint"]
    assert known(tmp_path) == hosts


@pytest.mark.parametrize("writes", range(6))
def test_a_run_that_was_killed_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """After any number of files; until then the controller holds nothing that hosts could be given."""
    real, left = secrets.write, [writes]

    def write(path: Path, text: str) -> None:
        if not left[0]:
            raise KilledError
        left[0] -= 1
        real(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(secrets, "write", write)
        with pytest.raises(KilledError):
            authority_files.ensure(wanted(tmp_path, "spark-01"), NOW)
    assert authority_files.versions(tmp_path, 1) == {}
    done = authority_files.ensure(wanted(tmp_path, "spark-01"), NOW)
    assert authority_files.versions(tmp_path, 1) == authority_files.told(done["issuing"], done["held"])


def test_a_lost_root_is_never_made_anew(tmp_path: Path) -> None:
    """Hosts trust the one that the state knows: an update without it is refused, and so is a root without its key."""
    provider = AuthorityProvider()
    props = wanted(tmp_path / "a", "spark-01") | dict.fromkeys(("issuing", "root", "fingerprint", "held"))
    made = provider.create(props).outs
    assert made is not None
    assert not provider.diff("lab", made, props | {"held": made["held"]}).changes
    (tmp_path / "a" / "root.key").unlink()
    assert provider.diff("lab", made, props | {"held": authority_files.held_digest(tmp_path / "a", 1)}).changes
    with pytest.raises(SparkfleetError, match=r"key of .* is missing"):
        provider.update("lab", made, props)
    (tmp_path / "a").rename(tmp_path / "lost")
    with pytest.raises(SparkfleetError, match="not the root certificate that the fleet's hosts trust"):
        provider.update("lab", made, props)
    assert not (tmp_path / "a").exists()


def test_a_configuration_by_older_rules_is_written_anew(tmp_path: Path) -> None:
    """What a release changes about step-ca reaches it by the next `up`, although nothing was described anew."""
    made = authority_files.ensure(wanted(tmp_path, "spark-01"), NOW)
    assert authority_files.held(wanted(tmp_path, "spark-01")) == made["held"]
    assert authority_files.held(wanted(tmp_path, "spark-01", "spark-02")) == ""
    (tmp_path / "ca.json").write_text((tmp_path / "ca.json").read_text().replace("1.2", "1.1"))
    assert authority_files.held(wanted(tmp_path, "spark-01")) == ""
    assert authority_files.ensure(wanted(tmp_path, "spark-01"), NOW) == made


def test_the_state_holds_no_key(tmp_path: Path) -> None:
    """Certificates, digests and what was described."""
    made = AuthorityProvider().create(wanted(tmp_path, "spark-01")).outs
    assert "PRIVATE" not in json.dumps(made)
