"""The fact file and the loaded driver → metrics: the program runs as on a host, on a folder that stands for one."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.gb10.readings.textfile import textfile
from sparkfleet import config
from sparkfleet.host import alignment_metrics
from sparkfleet.host.checks import checks
from sparkfleet.host.desired import desired
from sparkfleet.model import Role
from tests.sparkfleet.host.conftest import description

if TYPE_CHECKING:
    from sparkfleet.host.desired import Desired
    from sparkfleet.host.sources import Sources

PROGRAM = Path(alignment_metrics.__file__)
FACTS = "/etc/sparkfleet/alignment.json"
CALYPSO = {"release": "25.11", "variant": "vllm"}


@dataclasses.dataclass
class Machine:
    """A folder with a fact file and a driver's version."""

    folder: Path

    def run(self, facts: str | None, driver: str | None) -> tuple[int, str]:
        """The program's code and complaint; None is a file that is not there."""
        for name, text in (("facts", facts), ("driver", driver)):
            (self.folder / name).unlink(missing_ok=True)
            if text is not None:
                (self.folder / name).write_text(text)
        flags = [word for name in ("facts", "driver", "out") for word in (f"--{name}", self.folder / name)]
        done = subprocess.run([sys.executable, "-IS", PROGRAM, *flags], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    @property
    def states(self) -> dict[str, float]:
        """What the metric says of each state."""
        families = {f.name: f for f in text_string_to_metric_families((self.folder / "out").read_text())}
        return {s.labels["state"]: s.value for s in families["sparkfleet_alignment_state"].samples}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """An empty one."""
    return Machine(tmp_path)


def wanted(sources: Sources, **calypso: Any) -> Desired:
    """What a host with the role gpu should be."""
    raw = {**description(), "calypso": calypso}
    raw["hosts"]["spark-02"]["roles"] = ["gpu"]
    return desired(config.parse(raw), "spark-02", sources)


@pytest.fixture
def facts(project_sources: Sources) -> str:
    """The fact file of a host that is aligned."""
    return wanted(project_sources, **CALYPSO).files[FACTS].content.decode()


def test_a_host_without_a_described_server_has_no_verdict(project_sources: Sources) -> None:
    """There is nothing to be aligned with."""
    assert FACTS not in wanted(project_sources).files


def test_the_fact_file_needs_no_server(project_sources: Sources, facts: str) -> None:
    """It is of the description and the table, also where an address is described: a plan stays what it was."""
    asked = wanted(project_sources, **CALYPSO, url="http://192.0.2.1:8001")

    assert asked.files[FACTS].content.decode() == facts
    assert json.loads(facts)["state"] == "aligned"
    assert asked.settings["unit:sparkfleet-alignment.timer"] == "enabled,active"


def test_an_address_alone_is_unknown(project_sources: Sources) -> None:
    """Whoever describes a server but no release is told so, and not taken for aligned."""
    found = json.loads(wanted(project_sources, url="http://192.0.2.1:8001").files[FACTS].content)

    assert (found["state"], found["reasons"]) == ("unknown", ["calypso.release is not described"])


@pytest.mark.parametrize(
    ("driver", "state"), [("580.95.05\n", "aligned"), ("590.44.01\n", "unknown"), ("", "unknown"), (None, "unknown")]
)
def test_the_verdict_is_about_one_branch(machine: Machine, facts: str, driver: str | None, state: str) -> None:
    """With another driver, or none, nobody has judged."""
    assert machine.run(facts, driver) == (0, "")

    assert machine.states == {one: float(one == state) for one in alignment_metrics.STATES}


def test_the_exporter_takes_the_file(machine: Machine, facts: str) -> None:
    """Its own reader of text files finds nothing wrong, also with quotes in a label."""
    strange = json.dumps(json.loads(facts) | {"release": 'a"b\\c\nd'})
    machine.run(strange, "580.95.05")

    found = textfile((machine.folder / "out").read_text())

    assert set(found) == {"sparkfleet_alignment_state", "sparkfleet_alignment_info"}
    assert found["sparkfleet_alignment_info"].samples[0].labels["release"] == 'a"b\\c\nd'
    assert (machine.folder / "out").stat().st_mode & 0o777 == 0o644


def test_without_a_verdict_there_is_no_metric(machine: Machine, facts: str) -> None:
    """Also when there was one: the server is no longer described."""
    machine.run(facts, "580.95.05")

    assert machine.run(None, "580.95.05") == (0, "")
    assert not (machine.folder / "out").exists()


@pytest.mark.parametrize("broken", ["", "[]", "{}", '{"state": "fine"}', "\udcff".encode("utf-8", "replace").decode()])
def test_a_fact_file_that_cannot_be_used_leaves_no_metric(machine: Machine, facts: str, broken: str) -> None:
    """An old verdict would be believed."""
    machine.run(facts, "580.95.05")

    code, said = machine.run(broken, "580.95.05")

    assert code == 1
    assert "Next: `pulumi up` writes it anew." in said
    assert not (machine.folder / "out").exists()


@pytest.mark.parametrize(
    ("calypso", "driver", "verdict", "words"),
    [
        (CALYPSO, "580.142", "ok", "aligned: CUDA 13.0.2.006"),
        ({**CALYPSO, "release": "26.02"}, "580.142", "ok", "forward-compatible: CUDA 13.1.1.006"),
        (CALYPSO, "590.44.01", "differs", "not-aligned: driver branch 590"),
        ({"release": "27.01", "variant": "vllm"}, "580.142", "unknown", "unknown: 27.01 is newer"),
    ],
)
def test_a_plan_shows_the_verdict_on_the_loaded_driver(
    calypso: dict[str, str], driver: str, verdict: str, words: str
) -> None:
    """As a check: nothing that is applied could change it."""
    fleet = config.parse({**description(), "calypso": calypso})

    [found] = [one for one in checks(fleet, {"driver": driver}, (Role.GPU,)) if one.name == "alignment"]

    assert (found.verdict, words in found.detail) == (verdict, True)
    assert not [one for one in checks(fleet, {"driver": driver}) if one.name == "alignment"]
