"""An exporter's command → it runs as a process of its own, on a free port, and what it says."""

from __future__ import annotations

import re
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE_S = 30.0
ANYWHERE = "--web.listen-address=127.0.0.1:0"


class Exporter:
    """One running exporter; it began to listen. `stop` ends it."""

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, user: int | None = None
    ) -> None:
        self.log = log
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                [*command, ANYWHERE], env=environment, stderr=stderr, cwd=CHECKOUT if user is None else "/", user=user,
                group=user, extra_groups=None if user is None else [],
            )  # fmt: skip
        self.port = int(self.until(lambda: re.search(r"listening on \S+ port (\d+)", log.read_text()))[1])

    def until(self, look: Callable[[], Any]) -> Any:
        """What `look` finds, asked again and again until the deadline; the log is shown when it finds nothing."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            if found := look():
                return found
            assert self.process.poll() is None, f"the exporter ended:\n{self.log.read_text()}"
            time.sleep(0.05)
        raise AssertionError(f"not seen within {DEADLINE_S} s; the exporter's log:\n{self.log.read_text()}")

    def scrape(self) -> str:
        """The exposition, as Prometheus gets it."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=DEADLINE_S) as answer:
            return str(answer.read().decode())

    def until_scraped(self, *lines: str) -> str:
        """The first exposition that has all these lines."""
        return str(
            self.until(lambda: text if (text := self.scrape()) and set(lines) <= set(text.splitlines()) else None)
        )

    def stop(self) -> int:
        """End it as systemd does; its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=DEADLINE_S)

    def children(self) -> list[int]:
        """The process ids of its children."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]
