"""A command → a running sampler process, read by lines with a deadline and never waited for."""

from __future__ import annotations

import os
import select
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

READ_SIZE = 65536


class Sampler:
    """A running sampler process, read by lines with a deadline and never waited for."""

    def __init__(self, command: Sequence[str]) -> None:
        # No fork without exec: a hung child that had inherited the listening socket would keep the port.
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self._buffer = b""

    def line(self, timeout_s: float) -> str | None:
        """The next line, or None when the process has closed its output; TimeoutError when neither comes in time."""
        stream = self._process.stdout
        deadline = time.monotonic() + timeout_s
        while stream and b"\n" not in self._buffer:
            if not select.select([stream], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"no sample within {timeout_s:g} s")
            chunk = os.read(stream.fileno(), READ_SIZE)
            if not chunk:
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace")

    def kill(self) -> None:
        """Kill it; it dies at once, or, blocked within the driver, when the driver lets it go."""
        self._process.kill()

    def forget(self) -> None:
        """Kill it and read it no more."""
        self.kill()
        if self._process.stdout:
            self._process.stdout.close()

    def is_gone(self) -> bool:
        """Whether it has died (and is reaped)."""
        return self._process.poll() is not None
