"""Recurring runs on a stand-in: nights while it is off, stages that only last, and somebody who uses the GPU.

What is real: systemd with its timers and their stamps, jobs, the loop around its stages. The GPU is simulated.
"""

from __future__ import annotations

import json
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab import gb10, spark
from tests.e2e.mutation import at_console
from tests.e2e.under_test import until
from tests.workloads.label.recurring.loops import STAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.e2e.under_test import FleetUnderTest

PROJECTS = ("drill", "other")
RUNS = [f"{project}-{kind}" for project in PROJECTS for kind in ("prepare", "learn")]
WORKSPACE = "/var/lib/sparkfleet/label"
FOLDER = f"{WORKSPACE}/.nights"  # of the projects: their stages note there when they begin and end
PYTHON = "/opt/sparkfleet/label/bin/python"
DAY_S = 86400
PATIENCE_S = 180.0  # of the tests: a job begins, looks and ends within seconds


def described(host: str) -> dict[str, Any]:
    """The section `recurring`."""
    runs = {"host": host, "prepare": "01:30", "learn": "Sun 03:00"}
    return {
        "spread": "1s", "quiet": "1s",
        "projects": {project: {**runs, "folder": f"{FOLDER}/{project}"} for project in PROJECTS},
    }  # fmt: skip


@dataclass(frozen=True)
class Nights:
    """The host whose runs they are."""

    fleet: FleetUnderTest
    host: str

    @property
    def folder(self) -> Path:
        """Of the projects."""
        return self.fleet.tree(self.host) / FOLDER[1:]

    @contextmanager
    def stages(self) -> Iterator[None]:
        """Both projects are there, and a stage lasts as long as its project's file `hold-STAGE`."""
        for project in PROJECTS:
            (self.folder / project).mkdir(parents=True)
            text = f'name = "{project}"\nlabels = ["A"]\n[source]\nfolder = "docs"\n'
            (self.folder / project / "project.toml").write_text(text)
        (self.folder / "log").touch()
        (self.folder / "log").chmod(0o666)
        (self.folder / "stage").write_text(STAGE.format(python="/usr/bin/python3"))
        at_console(self.fleet, self.host, f"mv {PYTHON} {PYTHON}.kept; install -m 755 {FOLDER}/stage {PYTHON}")
        try:
            yield
        finally:
            # A reset may have taken it away.
            at_console(self.fleet, self.host, f"test ! -e {PYTHON}.kept || mv {PYTHON}.kept {PYTHON}")
            shutil.rmtree(self.folder)
            for project in PROJECTS:
                shutil.rmtree(self.fleet.tree(self.host) / WORKSPACE[1:] / project)

    def off_for(self, days: int) -> None:
        """The host is off for so many days: so say systemd's stamps, and what is noted of each run."""
        self.described_before(days + 1)
        stamps = "/var/lib/systemd/timers/stamp-sparkfleet-label@*.timer"
        at_console(self.fleet, self.host, f"touch --date=-{days}days {stamps}")
        spark.halt(self.fleet.instance, self.host)
        spark.boot(self.fleet.instance, [self.host])

    def described_before(self, days: int, runs: Sequence[str] = RUNS) -> None:
        """The runs are known for so many days, and have never come."""
        for run in runs:
            file = self._record(run)
            if not file.exists():  # as at its timer's first call
                self.wake(run)
                self.rest()
            told = json.loads(file.read_text())
            told |= {"since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * DAY_S))}
            told |= {"state": "not yet", "moment": None}
            file.write_text(json.dumps(told))

    def wake(self, *runs: str) -> None:
        """What their timers do."""
        at_console(self.fleet, self.host, f"systemctl start {' '.join(f'sparkfleet-label@{run}' for run in runs)}")

    def rest(self) -> None:
        """Until no recurring run is at it or waits."""
        active = "systemctl list-units --plain --no-legend --state=active,activating,deactivating"
        words = f"until test -z \"$({active} 'sparkfleet-label@*.service')\"; do sleep 0.2; done"
        at_console(self.fleet, self.host, words)

    def told(self, run: str) -> dict[str, Any]:
        """What is noted of a run."""
        with suppress(FileNotFoundError):
            found: dict[str, Any] = json.loads(self._record(run).read_text())
            return found
        return {}

    def log(self) -> list[str]:
        """What stages said: project, stage, begins or ends."""
        return (self.folder / "log").read_text().splitlines()

    def until(self, run: str, **wanted: Any) -> None:
        """Until that is noted of the run."""
        until(lambda: wanted.items() <= self.told(run).items(), lambda: (wanted, self.told(run)), PATIENCE_S)

    @contextmanager
    def somebody(self, unit: str) -> Iterator[None]:
        """A program in a unit of its own uses the GPU; simulated, but for the program."""
        at_console(self.fleet, self.host, f"systemd-run --quiet --unit={unit} sleep 600")
        shown = self.fleet.on(self.host, f"systemctl show --value --property=MainPID {unit}").text.strip()
        file = self.fleet.tree(self.host) / gb10.SCENARIO_FILE
        before = file.read_text()
        gb10.replace(file, f"{before}process = compute {shown} 1073741824\n")
        try:
            yield
        finally:
            gb10.replace(file, before)
            at_console(self.fleet, self.host, f"systemctl stop {unit}")

    def _record(self, run: str) -> Path:
        project, _, kind = run.rpartition("-")
        return self.fleet.tree(self.host) / WORKSPACE[1:] / project / "recurring" / f"{kind}.json"
