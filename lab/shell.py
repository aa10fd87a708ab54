"""A command → its output, or a LabError that shows what it said.

Every program the lab runs to its end is run here. What must outlive the lab goes through `record.start`.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import nullcontext
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHOWN_LINES = 15

# A program so started dies with the thread that started it …
TIED = ["setpriv", "--pdeathsig", "KILL"]
# … and this one takes its whole process tree and its mounts along: a killed `make up` leaves no debootstrap behind
# that has /proc mounted in a half-built tree.
SEALED = [*TIED, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def run(
    *argv: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    check: bool = True,
) -> str:
    """Run to the end and return what was printed on stdout; with `log` everything is appended there instead.

    `env` is added to the environment. Raises LabError with the last lines of output when the status is not 0.
    """
    words = [str(word) for word in argv]
    environment = {**os.environ, **(env or {})}
    try:
        with log.open("ab") if log else nullcontext(subprocess.PIPE) as out:
            done = subprocess.run(
                words,
                input=stdin or "",
                stdout=out,
                stderr=subprocess.STDOUT if log else subprocess.PIPE,
                text=True,
                check=False,
                cwd=cwd,
                env=environment,
            )
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed", next_step="run it through `make`, which installs it") from error
    if check and done.returncode != 0:
        said = log.read_text(errors="replace") if log else done.stdout + done.stderr
        tail = "\n".join("    " + line for line in said.strip().splitlines()[-SHOWN_LINES:])
        shown = " ".join(word for word in words if word not in SEALED)
        where = f" (all of it: {log})" if log else ""
        raise LabError(f"`{shown}` ended with status {done.returncode}{where}:\n{tail}")
    return done.stdout or ""
