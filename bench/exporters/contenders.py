"""Who is measured → a running process that answers scrapes on loopback, ours and its peers alike.

All of them find the same simulated GB10: the NVML library by LD_LIBRARY_PATH, /proc and /sys by flags where they have
such flags. nvitop-exporter has none: its host figures are those of this machine.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.measure import BenchError
from bench.peers import environment as peers
from lab import cache, shell
from lab.instance import CHECKOUT
from sparkfleet.host.bundle import zipapp_bytes
from sparkfleet.host.parts import GB10_EXPORTER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS, NVITOP, NODE = "sparkfleet", "nvitop-exporter", "node_exporter"
SYSTEM_PYTHON = "/usr/bin/python3"  # what the unit on a host runs; the environment of the tests would be another
READY_WITHIN_S = 30.0
LONGEST_ANSWER_S = 10.0


@dataclass
class Contender:
    """One running exporter, and the connection that scrapes it, kept open as Prometheus keeps it."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    _connection: http.client.HTTPConnection | None = field(default=None, repr=False)

    def scrape(self) -> tuple[float, str]:
        """Seconds from request to the last byte, and the exposition; raises OSError or TimeoutError."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONGEST_ANSWER_S)
            self._connection.connect()
        begin = time.perf_counter()
        try:
            self._connection.request("GET", "/metrics")
            answer = self._connection.getresponse()
            text = answer.read()
        except (http.client.HTTPException, OSError):
            self.close()
            raise
        took = time.perf_counter() - begin
        if answer.status != http.HTTPStatus.OK:
            raise BenchError(f"{self.name} answered {answer.status}")
        return took, text.decode()

    def close(self) -> None:
        """Close the connection; the next scrape opens another."""
        if self._connection:
            self._connection.close()
        self._connection = None


@contextmanager
def started(name: str, folder: Path, library: Path | None) -> Iterator[Contender]:
    """`name` on the simulated machine in `folder`; without a library on the machine that this is."""
    port = free_port()
    env = {**os.environ, "NVML_SCENARIO": str(folder / "scenario")}
    if library:
        env["LD_LIBRARY_PATH"] = str(library)
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command(name, folder, port, simulated=library is not None), env=env, stdout=log,
                                   stderr=log)  # fmt: skip
    contender = Contender(name, process, port)
    try:
        wait(contender, folder / f"{name}.log")
        yield contender
    finally:
        contender.close()
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:  # nvitop-exporter while its NVML call blocks
            process.kill()
            process.wait(READY_WITHIN_S)


def command(name: str, folder: Path, port: int, *, simulated: bool) -> list[str]:
    """How each is started: one NVML sample a second, everything else as it comes."""
    proc, sys = (folder / "proc", folder / "sys") if simulated else ("/proc", "/sys")
    paths = [f"--path.procfs={proc}", f"--path.sysfs={sys}"]
    if name == OURS:
        return [
            SYSTEM_PYTHON, "-I", str(packed(folder)), *paths, f"--web.listen-address=127.0.0.1:{port}",
            f"--recorder.file={folder / 'flight.ring'}", f"--path.privileged={folder / 'privileged.json'}",
        ]  # fmt: skip
    if name == NVITOP:
        return [str(peers.program("nvitop-exporter")), f"--port={port}", "--bind-address=127.0.0.1", "--interval=1"]
    return [str(node_exporter()), f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", *paths]


def packed(folder: Path) -> Path:
    """Our exporter as it is shipped: one file."""
    file = folder / "gb10-exporter.pyz"
    file.write_bytes(zipapp_bytes(CHECKOUT, GB10_EXPORTER.package, GB10_EXPORTER.libraries, GB10_EXPORTER.shared))
    return file


def node_exporter() -> Path:
    """Debian's node_exporter; unpacked and not installed, since the package would start one on this machine."""

    def build(folder: Path) -> None:
        shell.run("apt-get", "-qq", "download", "prometheus-node-exporter", cwd=folder)
        (package,) = folder.glob("*.deb")
        shell.run("dpkg", "-x", package, folder)
        package.unlink()

    if installed := shutil.which("prometheus-node-exporter"):
        return type(CHECKOUT)(installed)
    return cache.once(f"node-exporter-{cache.digest('1')}", build) / "usr/bin/prometheus-node-exporter"


def free_port() -> int:
    """A port of loopback that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait(contender: Contender, log: Path) -> None:
    """Until the first scrape is answered."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until and contender.process.poll() is None:
        try:
            contender.scrape()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise BenchError(f"{contender.name} does not answer:\n{log.read_text()[-2000:]}")
