"""Two network namespaces and a wire → two Ray machines, started as hosts start them, each on a core of its own.

Nothing of it can be reached from outside; the addresses are those of documentation (RFC 5737). Simulated: the machines
have this one's disk and memory.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import environments, shell
from lab.errors import LabError
from lab.instance import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT, STORE_MIB = 9820, 128
START_S, LOOK_EVERY_S = 120.0, 0.2


@dataclass(frozen=True)
class Machine:
    """One of them. `folder` holds its label.json, its workspace and what its Ray says."""

    number: int
    folder: Path

    @property
    def space(self) -> str:
        """Its namespace, which carries our process number: two tests never meet."""
        return f"sfray{os.getpid()}-{self.number}"

    @property
    def address(self) -> str:
        """By which the other one reaches it."""
        return f"192.0.2.{self.number + 1}"

    @property
    def site_file(self) -> Path:
        """Its label.json."""
        return self.folder / "label.json"

    def words(self, *command: str | Path) -> list[str]:
        """The command on this machine."""
        cores = sorted(os.sched_getaffinity(0))
        core = cores[self.number % len(cores)]
        return ["ip", "netns", "exec", self.space, "taskset", "-c", str(core), *map(str, command)]

    def start(self) -> None:
        """Its Ray, as the unit of a host starts it; raises LabError when it does not answer."""
        python = environments.python(environments.ensure("ray"))
        command = self.words(python, "-P", "-m", "workloads.label.spreading.machine", self.folder.parent / "ray")
        settings = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(CHECKOUT)}
        with (self.folder / "ray.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                cwd=self.folder, env={**settings, "SPARKFLEET_LABEL_SITE": str(self.site_file)},
            )  # fmt: skip
        due = time.monotonic() + START_S
        while b"Ray runtime started" not in (said := (self.folder / "ray.log").read_bytes()):
            if time.monotonic() > due or process.poll() is not None:
                raise LabError(f"Ray does not start: {said[-2000:].decode(errors='replace')}")
            time.sleep(LOOK_EVERY_S)

    def pids(self) -> list[int]:
        """All that runs on it."""
        return [int(pid) for pid in shell.run("ip", "netns", "pids", self.space).split()]

    def cut(self) -> None:
        """Its power goes: kill -9 for all that runs on it."""
        while found := self.pids():
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@contextmanager
def pair(artifacts: Path) -> Iterator[tuple[Machine, Machine]]:
    """Head and member, both running; nothing is left of them."""
    folder = Path(tempfile.mkdtemp(prefix="sfray-"))  # a short name: sockets lie below it
    head, member = Machine(0, folder / "0"), Machine(1, folder / "1")
    token = folder / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    try:
        for machine in (head, member):
            machine.folder.mkdir()
            machine.site_file.write_text(json.dumps(site(machine, artifacts, f"{head.address}:{PORT}", token)))
            shell.run("ip", "netns", "add", machine.space)
        shell.run(
            "ip",
            "link",
            "add",
            "eth0",
            "netns",
            head.space,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            member.space,
        )
        for machine in (head, member):
            shell.run("ip", "-n", machine.space, "address", "add", f"{machine.address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                shell.run("ip", "-n", machine.space, "link", "set", link, "up")
            machine.start()
        yield head, member
    finally:
        for machine in (head, member):
            with suppress(LabError):  # it was not made
                machine.cut()
                shell.run("ip", "netns", "delete", machine.space)
        shutil.rmtree(folder, ignore_errors=True)


def site(machine: Machine, artifacts: Path, head: str, token: Path) -> dict[str, object]:
    """A machine's label.json."""
    return {
        "workspace": str(machine.folder / "work"),
        "artifacts": str(artifacts),
        "python": str(environments.python(environments.ensure("label"))),
        "ray": {
            "address": head,
            "own_address": machine.address,
            "token_file": str(token),
            "store_mib": STORE_MIB,
            "packages": str(environments.packages(environments.ensure("ray"))),
        },
    }
