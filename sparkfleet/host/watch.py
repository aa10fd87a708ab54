"""A run's identity → nothing of that run left alive, however its owner ended. Runs as a process of its own.

`apply` starts it and holds its stdin. End of file means that the run is over or that its owner was killed: whatever is
left of the run (its processes carry its identity in their environment: ansible-playbook, its workers, ssh and its
multiplexing masters) is killed and the run's folder removed, so that nobody goes on changing a host.
What a host is executing at that moment ends with its own step: each is atomic (see the module `tree`).
Standard library only, started with -IS: it has to be there before anything else is.
"""

import os
import pathlib
import shutil
import signal
import sys
import time

VARIABLE = "SPARKFLEET_RUN"


def members(run: str) -> list[int]:
    """The processes that carry the run's identity, this one excepted."""
    mark = f"{VARIABLE}={run}".encode()
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "environ").read_bytes().split(b"\0")
            except OSError:  # it ended, or belongs to somebody else
                continue
            if mark in words:
                found.append(int(entry.name))
    return found


def sweep(run: str) -> int:
    """Kill the run's processes until none is left; returns how many there were. A kill can race with a fork."""
    killed = 0
    for _ in range(50):
        left = members(run)
        if not left:
            break
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed += 1
        time.sleep(0.05)
    return killed


def main() -> None:
    """Wait for the owner's end: argv is the run's identity and its folder."""
    run, folder = sys.argv[1:]
    for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wanted, signal.SIG_IGN)  # a Ctrl-C reaches the whole terminal; this one leaves last
    sys.stdin.buffer.read()
    sweep(run)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
