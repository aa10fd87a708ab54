"""The sampler → a running process of its own, small, read by lines with a deadline and never waited for.

The 8,000 lines of pynvml cost a process that compiles them 13 MiB for good. So one short-lived process compiles pynvml
and the sampler once, into a file without a name (memfd), and each sampler loads the finished code from there: nothing
on disk to go stale, to clean up or to tamper with, and a sampler starts even when the disk no longer answers.
"""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

READ_SIZE = 65536
LONGEST_LINE = 1_000_000  # bytes; a sampler that writes so much without an end of line raves
COMPILE_S = 60.0

# -I: no environment, no user's packages. -S: no site packages, which neither program needs to look for.
PYTHON = (sys.executable, "-I", "-S")

# arguments: Python's path
COMPILER = """
import importlib.util, marshal, sys
sys.path[:] = sys.argv[1:]
names = ("pynvml", "exporters.gb10.sampler")
codes = [(name, importlib.util.find_spec(name).loader.get_code(name)) for name in names]
marshal.dump(codes, sys.stdout.buffer)
"""
SPARING = ("-OO", "-X", "no_debug_ranges", "-B")  # no docstrings, no asserts, no columns: less memory; no __pycache__

# arguments: the interval; the code comes on standard input.
RUN_COMPILED = """
import marshal, sys
for name, code in marshal.loads(sys.stdin.buffer.read()):
    module = sys.modules[name] = type(sys)(name)
    exec(code, module.__dict__)
del code
sys.exit(module.run(float(sys.argv[1])))
"""

# arguments: the interval, Python's path.
RUN_FROM_SOURCE = """
import sys
sys.path[:] = sys.argv[2:]
from exporters.gb10 import sampler
sys.exit(sampler.run(float(sys.argv[1])))
"""


class SamplerProgram:
    """The sampler as a program: `start()` runs it with a sample every `interval_s` seconds."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._code: int | None = None  # file descriptor of the compiled code, once there is one
        self._compiled = False

    def start(self) -> Sampler:
        """One more sampler process. OSError when it cannot be started."""
        if not self._compiled:
            self._code, self._compiled = compiled(), True
        if self._code is None:
            return Sampler([*PYTHON, "-c", RUN_FROM_SOURCE, str(self._interval_s), *sys.path])
        os.lseek(self._code, 0, os.SEEK_SET)
        return Sampler([*PYTHON, "-c", RUN_COMPILED, str(self._interval_s)], stdin=self._code)


def compiled() -> int | None:
    """A descriptor of the compiled code; None when it cannot be made (then the sampler takes more memory)."""
    code = os.memfd_create("sampler")
    command = [*PYTHON, *SPARING, "-c", COMPILER, *sys.path]
    try:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=code, timeout=COMPILE_S)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("the sampler runs from source, which takes more memory: %s", error)
        os.close(code)
        return None
    return code


class Sampler:
    """A running sampler process, read by lines with a deadline and never waited for."""

    def __init__(self, command: Sequence[str], stdin: int = subprocess.DEVNULL) -> None:
        # No fork without exec: a hung child that had inherited the listening socket would keep the port.
        self._process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE)
        self._buffer = b""

    def line(self, timeout_s: float) -> str | None:
        """The next line, or None when the process has closed its output.

        TimeoutError when neither comes in time, ValueError when a line does not end.
        """
        stream = self._process.stdout
        deadline = time.monotonic() + timeout_s
        while stream and b"\n" not in self._buffer:
            if len(self._buffer) > LONGEST_LINE:
                raise ValueError(f"a line of more than {LONGEST_LINE} bytes")
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
