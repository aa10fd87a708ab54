"""The label loop's recurring runs: what a host gets of them, what systemd says of it, and what is refused."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.fitness.recurring import when
from sparkfleet.host.desired import desired
from tests.sparkfleet.host.test_label_role import described, loaded
from workloads.label.recurring.described import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.host.desired import Desired
    from sparkfleet.host.sources import Sources

UNITS = "/etc/systemd/system/"
TIMERS = ["sparkfleet-label@contracts-learn.timer", "sparkfleet-label@contracts-prepare.timer"]
PROJECT = {"host": "spark-02", "folder": "/srv/label/contracts"}


def rendered(sources: Sources, name: str = "spark-02", **changed: Any) -> Desired:
    """A host of a fleet with one recurring project."""
    recurring = {"patience": "90m", "projects": {"contracts": {**PROJECT, **changed}}}
    return desired(config.parse(described(label={"recurring": recurring})), name, sources)


def test_only_the_described_host_wakes_a_project(project_sources: Sources) -> None:
    """Two hosts with the role would publish the same documents twice; what is null has no timer."""
    there, elsewhere = rendered(project_sources), rendered(project_sources, "spark-01")
    found = [[key.removeprefix("unit:") for key in host.settings if "sparkfleet-label@" in key and "unit:" in key]
             for host in (there, elsewhere, rendered(project_sources, prepare=None))]  # fmt: skip

    assert found == [TIMERS, [], TIMERS[:1]]
    assert {path for path in there.files if path.endswith(".timer") and "label@" in path} == {
        UNITS + timer for timer in TIMERS
    }


def test_the_loop_reads_what_is_described(project_sources: Sources, tmp_path: Path) -> None:
    """Both sides of the file are held together: times in seconds, days as numbers."""
    told = loaded(rendered(project_sources, learn="Mon,Thu 22:15"), tmp_path).recurring
    learn = told.runs["contracts-learn"]

    assert (told.patience_s, told.quiet_s, told.spread_s) == (5400, 300, 900)
    assert (learn.kind, learn.days, learn.hour, learn.minute) == (Kind.LEARN, [0, 3], 22, 15)
    assert learn.longest_s == 4 * 86400
    assert {run.name for run in told.of("contracts")} == {"contracts-prepare", "contracts-learn"}


def test_systemd_understands_the_units(project_sources: Sources, tmp_path: Path) -> None:
    """Every word of them; the timer that is made up for, and its service, belong together by name."""
    files = rendered(project_sources).files
    names = [*TIMERS, "sparkfleet-label@.service"]
    for name in names:
        (tmp_path / name).write_bytes(files[UNITS + name].content)
    words = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in names[:2])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stderr
    text = files[UNITS + TIMERS[1]].content.decode()
    assert {"OnCalendar=*-*-* 01:30:00", "Persistent=yes", "RandomizedDelaySec=15m", "AccuracySec=1s"} <= {
        *text.splitlines()
    }


@pytest.mark.parametrize(
    ("moment", "calendar", "days"),
    [
        ("01:30", "*-*-* 01:30:00", 1),
        ("Sun 03:00", "Sun *-*-* 03:00:00", 7),
        ("Thu,Mon 22:15", "Mon,Thu *-*-* 22:15:00", 4),
        ("Mon,Mon 00:00", "Mon *-*-* 00:00:00", 7),
    ],
)
def test_a_time_is_what_systemd_calls_a_calendar(moment: str, calendar: str, days: int) -> None:
    """And the longest time between two is known without asking it."""
    assert (when(moment).calendar, when(moment).longest_s) == (calendar, days * 86400)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"host": "spark-01"}, r"projects\.contracts\.host: spark-01: has not the role label"),
        ({"host": "spark-09"}, r"projects\.contracts\.host: spark-09: no such host"),
        ({"learn": "daily"}, r'learn: expected a time such as "01:30", "Sun 03:00"'),
        ({"prepare": "24:00"}, r"prepare: expected a time"),
        ({"prepare": "01:30\n"}, r"prepare: expected a time"),
        ({"folder": "srv"}, r"folder: expected an absolute path"),
        ({"when": "01:30"}, r"projects\.contracts\.when"),
    ],
)
def test_what_cannot_be_is_refused(project_sources: Sources, changed: dict[str, Any], fault: str) -> None:
    """With the path to mend."""
    with pytest.raises(ConfigError, match=fault):
        rendered(project_sources, **changed)
