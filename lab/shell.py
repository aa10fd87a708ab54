"""A command → its output, or a LabError that shows what it said.

Every program the lab runs to its end is run here. What must outlive the lab goes through `record.start`.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SHOWN_LINES = 15

# A program so started dies with the thread that started it …
TIED = ["setpriv", "--pdeathsig", "KILL"]
# … and this one takes its whole process tree and its mounts along: a killed `make up` leaves no debootstrap behind
# that has /proc mounted in a half-built tree.
SEALED = [*TIED, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def run(  # noqa: PLR0913 - the parts of one call, each with a default
    *argv: str | Path,
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    check: bool = True,
) -> str:
    """Run to the end and return what was printed on stdout; with `log` everything goes there instead.

    `env` is added to the environment. Raises LabError with the last lines of output when the status is not 0.
    """
    words: Sequence[str] = [str(word) for word in argv]
    try:
        if log is None:
            done = subprocess.run(
                words, input=stdin, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **(env or {})}
            )
            output, said = done.stdout, done.stdout + done.stderr
        else:
            with log.open("ab") as sink:
                done = subprocess.run(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                )
            output, said = "", log.read_text(errors="replace")
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed", next_step="run it through `make`, which installs it") from error
    if check and done.returncode != 0:
        tail = "\n".join("    " + line for line in said.strip().splitlines()[-SHOWN_LINES:])
        shown = " ".join(word for word in words if word not in SEALED)
        where = f" (all of it: {log})" if log else ""
        raise LabError(f"`{shown}` ended with status {done.returncode}{where}:\n{tail}")
    return output
