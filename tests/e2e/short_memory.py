"""A stand-in with the role memory → what people there ask of the guard, and the figures that it goes by.

A stand-in's figures are those of the simulated GB10; `real_figures` gives the guard the running kernel's instead. Its
switches only record in both cases: to drop caches in earnest would drop those of the machine that runs the lab.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab import spark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.under_test import FleetUnderTest

CONFIG = "/etc/sparkfleet/memguard.json"
SWITCH = "/var/lib/gb10/proc/sys/vm/drop_caches"
UNTOUCHED = "0"
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PERSON = "alice"  # of the lab's description; her sudo wants a password that she does not have


@dataclass(frozen=True)
class Stand:
    """One stand-in; commands are typed at its console."""

    fleet: FleetUnderTest
    host: str

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """What root types there."""
        inside = ["nsenter", "-t", str(spark.first_process(self.fleet.instance, self.host)), "-a", "sh", "-c", command]
        env = {"PATH": PATHS, "HOME": "/root"}
        nsenter = {**env, "PATH": f"{PATHS}:{os.environ['PATH']}"}
        return subprocess.run(inside, env=nsenter, capture_output=True, text=True, timeout=120, check=False)

    def says(self, command: str) -> str:
        """The same, which must go well."""
        done = self.run(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def guard(self, words: str, user: str = PERSON) -> tuple[int, dict[str, Any]]:
        """`spark-memguard` as somebody without privileges: its exit code and its report, empty when there is none."""
        done = self.run(f"runuser -u {user} -- spark-memguard --json {words}")
        return done.returncode, dict(json.loads(done.stdout)) if done.stdout else {}

    def may(self, words: str, user: str = PERSON) -> bool:
        """Whether systemd does that for somebody without privileges."""
        return self.run(f"runuser -u {user} -- systemctl --no-ask-password {words}").returncode == 0

    @property
    def switch(self) -> str:
        """What was last written to drop_caches here (simulated)."""
        return self.says(f"cat {SWITCH}").strip()

    @contextlib.contextmanager
    def described(self, **changes: Any) -> Iterator[None]:
        """The guard has these settings, an untouched switch and no memory of an earlier run."""
        kept = json.loads(self.says(f"cat {CONFIG}"))
        self.says(f"echo {UNTOUCHED} > {SWITCH}; rm -f /run/sparkfleet-memguard/last")
        self._write(kept | changes)
        try:
            yield
        finally:
            self._write(kept)
            self.says(f"echo {UNTOUCHED} > {SWITCH}; rm -f /run/sparkfleet-memguard/last")

    def _write(self, config: dict[str, Any]) -> None:
        self.says(f"cat > {CONFIG} <<'END'\n{json.dumps(config, indent=2)}\nEND")
