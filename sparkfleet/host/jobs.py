"""A verb of `spark-node` → a systemd unit that runs it, and files that keep what it says. Runs ON the host.

    jobs.py start             JSON {"words": […]} on stdin; the job runs on, whoever asked is gone: {"id"}
    jobs.py look ID OUT ERR   what it said from these offsets on, and how it stands; waits a while for something new
    jobs.py stop ID           ends it
    jobs.py follow WORD …     starts the verb, as `start` does, and ends with it; ends it when it is itself ended
    jobs.py list              the jobs that are kept, the latest last
    jobs.py run ID            in the unit: becomes the verb
    jobs.py ended ID          in the unit, when the verb is done: notes how it ended

Root only; standard library. What is said goes into files, not into the journal, which may drop lines: both streams stay
apart, and an offset in bytes is all that is needed to go on after a lost connection.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(os.environ.get("SPARKFLEET_ROOT", "/"))  # tests have one of their own
JOBS = ROOT / "var/lib/sparkfleet/jobs"
PROGRAM = ROOT / "usr/local/bin/spark-node"
UNIT = "spark-node@{}.service"
UNITS = {"label": "spark-node-label@{}.service"}  # by verb: those that run as a user of their own
STREAMS = ("out", "err")
MOST_BYTES = 256 << 10  # of a stream at a time
LOOK_S, EVERY_S = 5.0, 0.2  # how long a look waits for something new
FOLLOW_S = 2.0  # between two looks of who only waits for the end
KEPT_JOBS = 50
MOST_REQUEST = 64 << 10


def folder_of(job: str) -> Path:
    """Where a job's files lie; raises ValueError for a name that leads elsewhere."""
    if not job.replace("-", "").isalnum() or not (JOBS / job).is_dir():
        raise ValueError(f"there is no job {job[:40]!r} here (any more)")
    return JOBS / job


def start(words: list[str]) -> dict[str, Any]:
    """Start the verb, and return the job's name at once."""
    job = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    JOBS.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in sorted(JOBS.iterdir())[: -KEPT_JOBS + 1]:
        if (old / "ended").exists():
            shutil.rmtree(old, ignore_errors=True)
    folder = JOBS / job
    folder.mkdir(mode=0o700)
    (folder / "request").write_text(json.dumps({"words": words, "started": time.time()}))
    for stream in STREAMS:
        (folder / stream).touch(mode=0o600)
    try:
        subprocess.run(["systemctl", "start", "--no-block", unit_of(job)], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(folder)  # it never was a job: no such unit here
        raise
    return {"id": job}


def unit_of(job: str) -> str:
    """The unit that runs a job; an option before the verb changes nothing about who may run it."""
    folder, words = folder_of(job), []
    with contextlib.suppress(FileNotFoundError, ValueError):  # the power went before it was written
        words = json.loads((folder / "request").read_text())["words"]
    verb = next((word for word in words if not word.startswith("-")), "")
    return UNITS.get(verb, UNIT).format(job)


def follow(words: list[str]) -> int:
    """Start the verb and wait; 0 however it ended, which its folder tells, and 1 when nobody saw its end."""
    job = start(words)["id"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        while (state := stand(job, folder_of(job))["state"]) == "running":
            time.sleep(FOLLOW_S)
    except SystemExit:
        subprocess.run(["systemctl", "stop", unit_of(job)], check=False, capture_output=True)
        raise
    return 0 if state == "ended" else 1


def look(job: str, offsets: dict[str, int]) -> dict[str, Any]:
    """How the job stands, and what it said from the offsets on; at the latest after LOOK_S."""
    folder, until = folder_of(job), time.monotonic() + LOOK_S
    while True:
        found = stand(job, folder)  # before the files: what an ended job said is all there
        said = {stream: read(folder / stream, offsets[stream]) for stream in STREAMS}
        if found["state"] != "running" or any(said.values()) or time.monotonic() > until:
            return {**found, **{stream: base64.b64encode(data).decode() for stream, data in said.items()}}
        time.sleep(EVERY_S)


def stand(job: str, folder: Path) -> dict[str, Any]:
    """{"state": running, ended (with its code) or lost}: lost is what no unit runs and nobody saw the end of."""
    for _ in range(2):  # it may end between the two questions
        with contextlib.suppress(FileNotFoundError):
            return {"state": "ended", **json.loads((folder / "ended").read_text())}
        shown = subprocess.run(
            ["systemctl", "show", "--property=ActiveState,Job", unit_of(job)],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        rows = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if rows.get("ActiveState", "inactive") not in {"inactive", "failed"} or rows.get("Job"):
            return {"state": "running"}
    return {"state": "lost"}


def read(path: Path, offset: int) -> bytes:
    """The next part of a stream."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(MOST_BYTES)


def listed() -> dict[str, Any]:
    """Every job that is kept: its name, words, start and state."""
    found = []
    for folder in sorted(JOBS.iterdir()) if JOBS.is_dir() else ():
        with contextlib.suppress(OSError, ValueError):
            request = json.loads((folder / "request").read_text())
            found.append({"id": folder.name, **request, **stand(folder.name, folder)})
    return {"jobs": found}


def run(job: str) -> None:
    """Become the verb; its words are on nobody's command line but its own."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")  # of a user who may not look into root's folder
    words = json.loads((Path(given) if given else folder_of(job)).joinpath("request").read_text())["words"]
    os.umask(0o022)  # what it makes is for everybody, as when its own unit runs it
    os.execv(PROGRAM, [str(PROGRAM), *words])  # noqa: S606  (a shell is what nobody wants here)


def ended(job: str) -> None:
    """Note the exit code, as shells number it; systemd tells how the main process ended (systemd.exec(5))."""
    status, code = os.environ.get("EXIT_STATUS", ""), 1
    if os.environ.get("EXIT_CODE") == "exited":
        code = int(status)
    elif hasattr(signal, f"SIG{status}"):
        code = 128 + int(getattr(signal, f"SIG{status}"))
    folder = folder_of(job)
    (folder / ".ended").write_text(json.dumps({"code": code, "result": os.environ.get("SERVICE_RESULT", "")}))
    (folder / ".ended").rename(folder / "ended")


def main() -> int:
    """One verb; the answer is one line of JSON on stdout, a failure a line on stderr and 1."""
    os.umask(0o077)
    verb, rest = sys.argv[1], sys.argv[2:]
    try:
        if verb in {"run", "ended"}:
            run(rest[0]) if verb == "run" else ended(rest[0])
            return 0
        if verb == "follow":
            return follow(rest)
        if verb == "stop":
            subprocess.run(["systemctl", "stop", unit_of(rest[0])], check=True, capture_output=True)
            answer = {"id": rest[0]}
        elif verb == "look":
            answer = look(rest[0], dict(zip(STREAMS, map(int, rest[1:3]), strict=True)))
        else:
            answer = start(json.loads(sys.stdin.read(MOST_REQUEST))["words"]) if verb == "start" else listed()
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        said = error.stderr.decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else str(error)
        print(said.strip() or error, file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
