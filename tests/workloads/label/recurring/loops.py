"""Projects of one workspace whose stages only say when they began and ended; everything around them is real."""

from __future__ import annotations

import datetime as dt
import json
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workloads.errors import NodeError
from workloads.label import site
from workloads.label.recurring import record
from workloads.label.recurring.described import Kind
from workloads.label.recurring.due import Turn
from workloads.label.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

# In the place of the stages' Python. A stage lasts as long as the file `hold-STAGE` of its project is there.
STAGE = """\
#!{python}
import json, pathlib, sys, time
words = sys.argv
project = pathlib.Path(words[words.index("--project") + 1])
name = words[words.index("workloads.label.stage") + 1] if "workloads.label.stage" in words else "report"
log = project.parent / "log"
def note(what):
    with log.open("a") as out:
        out.write(f"{{project.name}} {{name}} {{what}}\\n")
note("begins")
while (project / f"hold-{{name}}").exists():
    time.sleep(0.02)
note("ends")
if (project / f"fail-{{name}}").exists():
    print(json.dumps({{"error": {{"what": "broken", "usually": "", "next": ""}}}}))
    sys.exit(int((project / f"fail-{{name}}").read_text()))
print(json.dumps({{"report": {{}}}}))
"""


@dataclass
class Loops:
    """Everything lies below `folder`."""

    folder: Path
    people: tuple[str, ...] = ()  # who uses the GPU
    shared: dict[str, Any] = field(default_factory=lambda: {"quiet_s": 0, "patience_s": 3600, "spread_s": 0})

    def write(self, *projects: str) -> Loops:
        """Projects, each with both runs, due at midnight."""
        for name in projects:
            (self.folder / name).mkdir()
            (self.folder / name / "project.toml").write_text(
                f'name = "{name}"\nlabels = ["A"]\n[source]\nfolder = "docs"\n'
            )
        (self.folder / "python").write_text(STAGE.format(python=sys.executable))
        (self.folder / "python").chmod(0o755)
        runs = {
            f"{name}-{kind}": {
                "project": name, "folder": str(self.folder / name), "kind": kind, "days": [*range(7)],
                "hour": 0, "minute": 0, "longest_s": 86400,
            }
            for name in projects for kind in Kind
        }  # fmt: skip
        told = {"workspace": str(self.folder / "work"), "python": str(self.folder / "python")}
        self.site_file.write_text(json.dumps({**told, "recurring": {**self.shared, "runs": runs}}))
        for run in site.load(self.site_file).recurring.runs.values():
            since = dt.datetime.now(dt.UTC) - dt.timedelta(days=3)  # three nights were missed
            record.write(
                self.work(run.project), record.Record(project=run.project, kind=run.kind, since=since, overdue_s=1)
            )
        return self

    @property
    def site_file(self) -> Path:
        """label.json."""
        return self.folder / "site.json"

    def work(self, project: str) -> Workspace:
        """A project's folder."""
        return Workspace(self.folder / "work" / project)

    def take(self, name: str) -> int:
        """What its timer's call does, in this process, with a faster look."""
        at = site.load(self.site_file)
        turn = Turn(at, at.recurring.runs[name], self.site_file, lambda _: None, 0.02, lambda: self.people)
        try:
            return turn.take()
        except NodeError as error:
            return error.exit_code

    def taking(self, name: str) -> threading.Thread:
        """The same, beside the test."""
        thread = threading.Thread(target=self.take, args=(name,), daemon=True)
        thread.start()
        return thread

    def told(self, project: str, kind: Kind = Kind.PREPARE) -> record.Record:
        """What became of it."""
        found = record.read(self.work(project), kind)
        assert found
        return found

    def log(self) -> list[str]:
        """What stages said, in order."""
        file = self.folder / "log"
        return file.read_text().splitlines() if file.exists() else []
