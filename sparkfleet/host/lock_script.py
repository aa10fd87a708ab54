"""Who wants a host for itself → the host's one lock, held for as long as heartbeats come. Runs ON the host, as root.

Standard library only; `lock` sends it over SSH and keeps its stdin open for heartbeats, a line each. It answers with
one line of JSON: {"held": true, "stale": who left without a word, or null} or {"held": false, "holder": who has it}.
The kernel drops the lock with this process, however it ends: at the end of stdin (the controller left or was killed),
after `silence_s` without a heartbeat (it was cut off), with the machine (the folder is in /run).
"""

import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

LOCK, HOLDER = Path("lock"), Path("holder.json")
DONE = b"done\n"
MOST_TRIES = 20  # a twentieth of a second each, for a holder that has the lock and not yet written its name


def main(request: dict[str, Any]) -> None:
    """Take the lock `request["folder"]`/lock for `request["holder"]` and hold it, or say who has it."""
    signal.alarm(request["silence_s"])
    Path(request["folder"]).mkdir(0o755, exist_ok=True)
    os.chdir(request["folder"])
    with LOCK.open("a") as lock:
        if not taken(lock, request["holder"]["run"]):
            say({"held": False, "holder": {**present(), "now_s": boot_clock_s()}})
            return
        stale = holder()
        # The machine's clock may be wrong: the time since boot tells for how long, the other only what it believed.
        times = {"began_s": boot_clock_s(), "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        new = HOLDER.with_suffix(".new")
        new.write_text(json.dumps({**request["holder"], **times, "pid": os.getpid()}))
        new.replace(HOLDER)
        say({"held": True, "stale": {**stale, "now_s": boot_clock_s()} if stale else None})
        for line in sys.stdin.buffer:
            signal.alarm(request["silence_s"])
            if line == DONE:
                HOLDER.unlink()
                return


def taken(lock: Any, run: str) -> bool:
    """Whether the lock is ours now; from an earlier process of the same run, which was cut off, it is taken away."""
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    before = present()
    if before.get("run") != run:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(before["pid"], signal.SIGKILL)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return True


def present() -> dict[str, Any]:
    """Who holds the lock now: the one whose process is there, not one that left its name behind."""
    for _ in range(MOST_TRIES):
        found = holder()
        if found and Path(f"/proc/{found.get('pid')}").exists():
            return found
        time.sleep(0.05)
    return holder()


def holder() -> dict[str, Any]:
    """What stands beside the lock; empty when there is nothing to read."""
    try:
        return dict(json.loads(HOLDER.read_text()))
    except (OSError, ValueError):
        return {}


def boot_clock_s() -> float:
    """Seconds since boot; nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def say(answer: dict[str, Any]) -> None:
    """One line."""
    print(json.dumps(answer), flush=True)
