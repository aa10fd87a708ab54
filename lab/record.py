"""A long-running process → a line in /run that lets any later `down` stop exactly that process.

The process writes its own id and start time before it becomes the program asked for, so there is no moment in which
it runs unrecorded. Bridges, tables and mounts need no record: `instance` names them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.instance import Instance

RUN = Path("/run/sparkfleet-lab")
# `$0` is the record; field 22 of /proc/PID/stat is the start time (the name in field 2 is "sh": no spaces).
LAUNCH = 'echo "$$ $(cut -d" " -f22 /proc/$$/stat)" > "$0.new" && mv "$0.new" "$0" && exec "$@"'
START_WITHIN_S = 10.0
KILL_AFTER_S = 20.0


def folder(instance: Instance) -> Path:
    """What is recorded of one lab, on the whole machine."""
    return RUN / instance.name


def start_time(pid: int) -> str | None:
    """When the process started, in clock ticks since boot, or None when there is no such process or only its zombie."""
    try:
        # The second field is the program's name in brackets and may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def instances() -> list[str]:
    """The names of all labs that this machine has, whatever checkout made them."""
    return sorted(p.name for p in RUN.iterdir() if p.is_dir()) if RUN.is_dir() else []


def owner(instance: Instance) -> Path | None:
    """The checkout that has the lab, if any has."""
    noted = folder(instance) / "checkout"
    return Path(noted.read_text()) if noted.exists() else None


def claim(instance: Instance) -> None:
    """Say that this checkout has the lab; raises LabError when another checkout has it."""
    other = owner(instance)
    if other not in (None, instance.root):
        raise LabError(
            f"the lab {instance.name!r} of this machine was made by the checkout in {other}",
            next_step=f"`make down NAME={instance.name}`, here or there, removes it",
        )
    folder(instance).mkdir(parents=True, exist_ok=True)
    (folder(instance) / "checkout").write_text(str(instance.root))


def remove(instance: Instance) -> None:
    """Forget the lab; for the end of `down`."""
    shutil.rmtree(folder(instance), ignore_errors=True)


def start(instance: Instance, label: str, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> None:
    """Start `argv` in a session of its own, recorded under `label`, its output appended to `log`.

    Returns once it is recorded; whether it does its work is for the caller to see.
    """
    entry = folder(instance) / "processes" / label
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        subprocess.Popen(
            launching(instance, label, argv),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )
    until = time.monotonic() + START_WITHIN_S
    while not entry.exists():
        if time.monotonic() > until:
            raise LabError(f"{label} did not start", next_step=f"see {log}")
        time.sleep(0.005)


def launching(instance: Instance, label: str, argv: Sequence[str]) -> list[str]:
    """The words that record themselves under `label` and become `argv`; what was recorded there before is forgotten."""
    entry = folder(instance) / "processes" / label
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.unlink(missing_ok=True)
    return ["/bin/sh", "-c", LAUNCH, str(entry), *argv]


def note_self(instance: Instance, label: str) -> None:
    """Record this very process, so that `down` can stop a lab that is still coming up."""
    entry = folder(instance) / "processes" / label
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.write_text(f"{os.getpid()} {start_time(os.getpid())}\n")


def parse(line: str) -> tuple[int, str] | None:
    """`PID START` → the pair; None when it is cut short, as after a crash of the machine."""
    words = line.split()
    return (int(words[0]), words[1]) if len(words) == len(("pid", "start")) and words[0].isdigit() else None


def alive(instance: Instance, label: str) -> int | None:
    """The id of the recorded process, if exactly that process still runs."""
    entry = folder(instance) / "processes" / label
    noted = parse(entry.read_text()) if entry.exists() else None
    return noted[0] if noted and start_time(noted[0]) == noted[1] else None


def labels(instance: Instance) -> list[str]:
    """Every label that was recorded, running or not."""
    entries = folder(instance) / "processes"
    return sorted(e.name for e in entries.iterdir() if not e.name.endswith(".new")) if entries.is_dir() else []


def forget(instance: Instance, label: str) -> None:
    """Drop the record of a process that needs none any more."""
    (folder(instance) / "processes" / label).unlink(missing_ok=True)


def stop(instance: Instance, *chosen: str, patience_s: float = KILL_AFTER_S) -> None:
    """Ask the processes to end, all at once; kill what is still there after `patience_s`; forget them.

    Never this process itself: tests are recorded too, and remove their own lab.
    """
    chosen = tuple(label for label in chosen if alive(instance, label) != os.getpid())
    for signum, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
        for label in chosen:
            if pid := alive(instance, label):
                os.kill(pid, signum)
        until = time.monotonic() + wait_s
        while any(alive(instance, label) for label in chosen) and time.monotonic() < until:
            time.sleep(0.05)
    for label in chosen:
        if pid := alive(instance, label):
            raise LabError(f"process {pid} ({label}) does not die", next_step="a reboot ends it")
        forget(instance, label)
