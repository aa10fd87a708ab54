"""`spark audit` against a real store: the story as a table and as JSON, and its code when somebody changed it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from sparkfleet import audit, chain, errors
from sparkfleet.cli import Project, spark
from sparkfleet.cloud import trail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparkfleet.model import Fleet

FINGERPRINT = "SHA256:" + "a" * 43


def ask(fleet: Fleet, *words: str) -> tuple[int, str]:
    """Run the verb as `spark` does: exit code, all that was printed."""
    project = Project("test", _fleet=fleet)
    done = CliRunner().invoke(spark.get_command(None, "audit"), list(words), obj=project, standalone_mode=False)
    if isinstance(done.exception, errors.SparkfleetError):
        return done.exception.exit_code, done.output + str(done.exception)
    if done.exception:
        raise done.exception
    return int(done.return_value), done.output


@pytest.fixture
def told(audited: Any) -> Fleet:
    """A fleet whose log has three records of two hosts, all of them shipped."""
    fleet: Fleet = audited.fleet
    audit.record(fleet, "spark-01", "rotate-ssh", "began", old=FINGERPRINT)
    audit.record(fleet, "spark-01", "rotate-ssh", "done", old=FINGERPRINT, new="SHA256:" + "b" * 43)
    audit.record(fleet, "spark-02", "adopt", "done", detail="[bold]as typed[/]")
    return fleet


def test_the_table_tells_who_did_what_to_which_key(told: Fleet) -> None:
    """One line a record, fingerprints short, text as it is; a host's name picks its records."""
    code, printed = ask(told)
    _, of_one = ask(told, "spark-02")

    assert code == errors.OK
    assert "SHA256:aaaaaaaaaaaa… → SHA256:bbbbbbbbbbbb…" in printed
    assert "[bold]as typed[/]" in printed
    assert printed.count("rotate-ssh") == 2
    assert ("rotate-ssh" in of_one, "adopt" in of_one) == (False, True)


def test_what_was_told_before_there_was_a_store_is_shipped_later(audited: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adoption's records wait for the store; the next `pulumi up` of a host copies them."""
    fleet: Fleet = audited.fleet
    key = fleet.controller.store_key("controller")
    key.rename(key.with_suffix(".later"))
    monkeypatch.setattr(audit, "_silent_until", 0.0)
    audit.record(fleet, "spark-01", "adopt", "added", new=FINGERPRINT)
    waiting = audit.backlog(fleet)
    audit.ship_waiting(fleet)  # to no avail, and to no harm
    key.with_suffix(".later").rename(key)
    monkeypatch.setattr(audit, "_silent_until", 0.0)

    audit.ship_waiting(fleet)

    assert (waiting, audit.backlog(fleet)) == (1, 0)
    assert audit.verify(fleet) == []


def test_json_has_every_field(told: Fleet) -> None:
    """Records as they stand in the log, how many wait, and what does not agree."""
    code, printed = ask(told, "--json", "--verify")
    document = json.loads(printed)

    assert code == errors.OK
    assert [record["outcome"] for record in document["records"]] == ["began", "done", "done"]
    assert document["records"][1]["old"] == FINGERPRINT
    assert (document["waiting"], document["disagreements"]) == (0, [])


def _rewrite(fleet: Fleet, _audited: Any) -> None:
    """The chain made anew, as whoever owns the controller can."""
    log = audit.log_file(fleet)
    lines = chain.read_lines(log)
    log.unlink()
    for line in lines:
        fields = json.loads(line)
        kept = {k: v for k, v in fields.items() if k not in {"seq", "at", "previous", "torn"}}
        chain.append(log, kept | {"host": "spark-09"})


def _cut(fleet: Fleet, _audited: Any) -> None:
    log = audit.log_file(fleet)
    log.write_text("\n".join(chain.read_lines(log)[:2]) + "\n")


def _overwrite(fleet: Fleet, audited: Any) -> None:
    key = trail.of(fleet).copies()[0].key
    audited.client("controller").put_object(Bucket=fleet.bucket("audit"), Key=key, Body=b"{}")


@pytest.mark.parametrize(
    ("tamper", "named"), [(_rewrite, "changed: line 1"), (_cut, "missing here: line 3"), (_overwrite, "overwritten")]
)
def test_tampering_ends_with_a_code_of_its_own(
    told: Fleet, audited: Any, tamper: Callable[[Fleet, Any], None], named: str
) -> None:
    """A log made anew, one cut off and a copy written again are named, and the verb ends with 6."""
    assert ask(told, "--verify")[0] == errors.OK

    tamper(told, audited)

    code, printed = ask(told, "--verify")
    assert code == 6
    assert named in printed
    assert "the audit log does not hold" in printed


def test_what_waits_is_told_and_shipped(told: Fleet) -> None:
    """A record that could not be shipped shows, is no tampering, and goes out when asked to."""
    key = told.controller.store_key("controller")
    key.rename(key.with_suffix(".away"))
    audit.record(told, "spark-02", "retire", "done")
    key.with_suffix(".away").rename(key)

    code, printed = ask(told, "--verify")
    assert code == errors.OK
    assert "1 wait to be shipped" in printed

    code, printed = ask(told, "--ship", "--verify")
    assert code == errors.OK
    assert "shipped now: 1" in printed
    assert "every record has its copy" in printed


def test_without_a_store_the_chain_alone_is_verified(tmp_path: Path) -> None:
    """The verb says that there are no copies, refuses a name that nobody knows, and finds a line that was changed."""
    (tmp_path / "Pulumi.bare.yaml").write_text(
        yaml.safe_dump(
            {"config": {"sparkfleet:fleet": "bare", "sparkfleet:hosts": {"h1": {"addresses": ["192.0.2.1"]}}}}
        )
    )
    fleet = Project("bare", tmp_path).fleet()
    assert "nothing is recorded yet" in ask(fleet)[1]
    assert ask(fleet, "h2")[0] == errors.ConfigError.exit_code
    for outcome in ("began", "done"):
        audit.record(fleet, "h1", "adopt", outcome)
    code, printed = ask(fleet, "--verify")
    assert (code, "cloud.provider is none" in printed) == (errors.OK, True)

    log = audit.log_file(fleet)
    log.write_text(log.read_text().replace('"began"', '"ended"'))
    assert ask(fleet, "--verify")[0] == 6
