"""The compliance pack's request and report, its waivers, and how a failure is told; no host is needed for these.

The pack itself runs against live stand-ins in tests/e2e/test_verify.py.
"""

from __future__ import annotations

import datetime as dt
import json
import socket
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sparkfleet import config
from sparkfleet.commands import verify as command
from sparkfleet.errors import UnreachableError, VerifyError
from sparkfleet.forms import seconds
from sparkfleet.host import verify as verifying
from sparkfleet.host import verify_request as requested
from sparkfleet.host.verdicts import Outcome, Verdict, failure, in_order, unknown_waivers
from sparkfleet.model import Waiver

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.model import Fleet

TODAY = dt.date(2026, 11, 21)
REASON = "the vendor's installer needs it"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61"


@given(days=st.integers(min_value=-400, max_value=400))
def test_a_waiver_ends_on_its_day(days: int) -> None:
    """On the day `until` names the check counts again, not a day earlier or later."""
    until = TODAY + dt.timedelta(days=days)
    fleet = config.parse({"fleet": "x1", "hosts": {"h1": {"addresses": ["192.0.2.1"]}}})
    fleet = fleet.model_copy(update={"waivers": {"ACCESS-01": Waiver(reason=REASON, until=until)}})
    assert requested.waivers(fleet, "h1", TODAY)["ACCESS-01"]["expired"] is (days <= 0)


def test_a_waiver_is_for_the_hosts_it_names(fleet: Fleet) -> None:
    """A waiver with hosts waives nothing elsewhere."""
    one = Waiver(reason=REASON, until=TODAY, hosts=["spark-01"])
    fleet = fleet.model_copy(update={"waivers": {"ACCESS-01": one}})
    assert list(requested.waivers(fleet, "spark-01", TODAY)) == ["ACCESS-01"]
    assert requested.waivers(fleet, "spark-02", TODAY) == {}


def test_a_waiver_for_no_check_is_reported(fleet: Fleet) -> None:
    """An unknown id is named with the nearest one, fails nothing, and stands apart from the hosts' checks."""
    ids = ("ACESS-01", "BASE-04", "BASE-04/net.x")
    fleet = fleet.model_copy(update={"waivers": {i: Waiver(reason=REASON, until=TODAY) for i in ids}})
    found = unknown_waivers(fleet.waivers, ["ACCESS-01", "BASE-04"], ["net.x"])
    assert [(v.host, v.id, v.outcome) for v in found] == [("", "ACESS-01", "skipped")]
    assert "did you mean ACCESS-01?" in found[0].detail


def test_the_request_holds_the_description_and_no_secret(fleet: Fleet, tmp_path: Path) -> None:
    """A host's request names what is described for it, and neither secrets nor where the controller keeps them."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "automation").write_text("PRIVATE")
    (tmp_path / "keys" / "automation.pub").write_text(f"{KEY} sparkfleet\n")
    controller = fleet.controller.model_copy(update={"folder": tmp_path})
    fleet = fleet.model_copy(update={"controller": controller})
    wanted = requested.request(fleet, "spark-01", "192.0.2.1", TODAY)
    assert wanted["users"]["alice"]["sudo"] is True
    assert wanted["users"]["sparkfleet"]["keys"] == [f"{KEY} sparkfleet"]
    assert wanted["monitors"] == ["100.64.0.1", "192.0.2.1", "fd7a::1"]
    assert wanted["sysctls"]["net.core.somaxconn"] == "4096"
    assert wanted["secret_files"] == ["/etc/sparkfleet/s3.json"]
    assert "Gb10Hot" in wanted["alerts"]
    assert requested.request(fleet, "spark-02", "192.0.2.2", TODAY)["alerts"] == []
    text = json.dumps(wanted)
    assert "PRIVATE" not in text
    assert str(tmp_path) not in text


def test_a_silent_host_is_named(fleet: Fleet, tmp_path: Path) -> None:
    """A host whose port is closed raises UnreachableError with its name; nothing was verified."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hosts = {"spark-09": {"addresses": ["127.0.0.1"], "port": port}}
    fleet = config.parse({"fleet": "x1", "hosts": hosts, "controller": {"folder": str(tmp_path)}})
    with pytest.raises(UnreachableError, match="spark-09 cannot be reached") as caught:
        verifying.verify(fleet, ["spark-09"])
    assert isinstance(caught.value, verifying.SilentHostsError)
    assert caught.value.verdicts == []


@pytest.mark.parametrize(("text", "wanted"), [("15s", 15), ("250ms", 0.25), ("2m", 120), ("1h", 3600)])
def test_durations_become_seconds(text: str, wanted: float) -> None:
    """A Prometheus duration of the model is seconds to the pack."""
    assert seconds(text) == wanted


def verdict(id_: str, outcome: Outcome, **fields: str) -> Verdict:
    """A verdict about spark-01 unless said otherwise."""
    return Verdict(
        **{"host": "spark-01", "severity": "high", "title": f"Title of {id_}."} | fields, id=id_, outcome=outcome
    )


def test_verdicts_stand_in_the_order_of_hosts_and_numbers() -> None:
    """Hosts as named, families by name, and 2 before 10."""
    mixed = [verdict(i, "passed", host=h) for h in ("b", "a") for i in ("BASE-10", "BASE-2", "BASE-4/x", "ACCESS-1")]
    found = [(v.host, v.id) for v in in_order(mixed, ["a", "b"])]
    assert found == [(h, i) for h in ("a", "b") for i in ("ACCESS-1", "BASE-2", "BASE-4/x", "BASE-10")]


def test_only_an_unwaived_failure_is_one() -> None:
    """Waived and skipped checks fail nothing; a failed one is named with its host, and ends with code 6."""
    harmless = [verdict("BASE-01", "waived"), verdict("BASE-02", "skipped"), verdict("BASE-03", "passed")]
    assert failure(harmless) is None
    error = failure([*harmless, verdict("ACCESS-01", "failed")])
    assert isinstance(error, VerifyError)
    assert error.exit_code == 6
    assert "spark-01: ACCESS-01" in error.what


def test_a_reader_meets_failures_first() -> None:
    """The table begins with failures and their evidence, gathers settings that hold, names a host that was silent."""
    shown = StringIO()
    verdicts = [
        verdict("BASE-04/a", "passed"),
        verdict("BASE-04/b", "passed"),
        verdict("ACCESS-02", "waived", detail="waived until 2027-01-01"),
        verdict("BASE-09", "failed", severity="low", detail="low evidence"),
        verdict("MONITOR-01", "failed", detail="high evidence"),
        Verdict("", "ACESS-01", "low", "", "skipped", "waivers.ACESS-01: no check has this id"),
    ]
    command.show(Console(file=shown, width=100), ["spark-01", "spark-02"], verdicts, {"spark-02": "off"})
    text = shown.getvalue()
    parts = ["5 checks", "MONITOR-01", "high evidence", "BASE-09", "low evidence", "ACCESS-02", "2027-01-01"]
    parts += ["BASE-04 (2)", "spark-02", "not verified", "waivers.ACESS-01"]
    assert [part for part in parts if part not in text] == []
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)
