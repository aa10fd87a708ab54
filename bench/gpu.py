"""A real NVIDIA GPU → the exporter's readings beside nvidia-smi's of the same second, and what each costs.

    python3 bench/gpu.py gb10-exporter.pyz [--seconds 60] [--load "python3 load.py"] [--json FILE]

Measured on the machine that runs it; nothing is simulated. Standard library alone. Ends with 1 when a reading lies
farther from nvidia-smi's than the two can differ by the time between them, or when a goal is missed.
The exporter as one file lies on every provisioned host, a stand-in too: /usr/local/lib/sparkfleet/gb10-exporter.pyz
"""

from __future__ import annotations

import argparse
import http.client
import json
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench is not installed

from bench.exporters import forking, latency, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

CHEAPER_AT_LEAST = 5.0  # times less processor time than forking nvidia-smi
COMPARED_S = 15
READY_WITHIN_S = 30
WARM_UP_S = 12  # a load takes a moment to start; the state machine and slow readings take some seconds
TOLERANCES = {metric: tolerance for metric, _, tolerance in forking.READINGS.values()}


def main() -> int:
    """Compare, measure, print."""
    options = parser().parse_args()
    with exporter(options.exporter) as (process, connection):
        phases = {"idle": compared(connection)}
        if options.load:
            with loaded(options.load):
                phases["load"] = compared(connection)
        latencies = [timed(connection) for _ in range(500)]
        before, begin = tree.use(process.pid).cpu_s, time.monotonic()
        for second in range(options.seconds):
            scrape(connection)
            time.sleep(max(0.0, begin + second + 1 - time.monotonic()))
        now = tree.use(process.pid)
        ours = latency.Cost(
            100 * (now.cpu_s - before) / (time.monotonic() - begin), now.rss_mib, now.private_mib, now.processes
        )
        exposition = scrape(connection)
    forked = forking.cost(options.seconds)
    fast = latency.latency(latencies, sum(not line.startswith("#") for line in exposition.splitlines()))
    good = show(phases, ours, fast, forked)
    if options.json:
        written = {"phases": phases, "ours": asdict(ours), "scrape": asdict(fast), "nvidia_smi": asdict(forked)}
        options.json.write_text(json.dumps(written, indent=1) + "\n")
        options.json.with_suffix(".metrics").write_text(exposition)
    return 0 if good else 1


def parser() -> argparse.ArgumentParser:
    """The command line."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    flags.add_argument("exporter", type=Path, help="the packed exporter")
    flags.add_argument("--seconds", type=int, default=60, help="how long processor time is counted, for each")
    flags.add_argument("--load", help="a command that keeps every GPU busy until it is ended")
    flags.add_argument("--json", type=Path, help="write everything there, and the last exposition beside it")
    return flags


@contextmanager
def exporter(packed: Path) -> Iterator[tuple[subprocess.Popen[bytes], http.client.HTTPConnection]]:
    """The exporter on this machine's GPUs, one sample a second, and a connection to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-I", str(packed), f"--web.listen-address=127.0.0.1:{port}"]
        process = subprocess.Popen([*words, f"--recorder.file={folder}/flight.ring"])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            until = time.monotonic() + READY_WITHIN_S
            while "sparkfleet_gb10_nvml_up 1" not in answer(connection) and time.monotonic() < until:
                time.sleep(0.2)
            yield process, connection
        finally:
            connection.close()
            process.terminate()
            process.wait(READY_WITHIN_S)


def answer(connection: http.client.HTTPConnection) -> str:
    """A scrape, or nothing while the exporter starts."""
    try:
        return scrape(connection)
    except OSError:
        connection.close()
        return ""


def scrape(connection: http.client.HTTPConnection) -> str:
    """One exposition."""
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode()


def timed(connection: http.client.HTTPConnection) -> float:
    """Seconds that a scrape takes."""
    time.sleep(latency.PAUSE_S + 0.05)
    begin = time.perf_counter()
    scrape(connection)
    return time.perf_counter() - begin


@contextmanager
def loaded(command: str) -> Iterator[None]:
    """Run the load for as long as this lasts."""
    process = subprocess.Popen(shlex.split(command))
    try:
        time.sleep(WARM_UP_S)
        yield
    finally:
        process.terminate()
        process.wait(READY_WITHIN_S)


def compared(connection: http.client.HTTPConnection) -> dict[str, tuple[float | None, float | None]]:
    """Some seconds of both programs side by side: of each reading the pair that lay in the middle of all seconds."""
    seconds = []
    for _ in range(COMPARED_S):
        forked = forking.query()
        time.sleep(1)  # our sample of that second is taken by then
        seconds.append(forking.differences(scrape(connection), forked))
    middle = len(seconds) // 2
    return {metric: sorted((second[metric] for second in seconds), key=forking.apart)[middle] for metric in TOLERANCES}


def show(
    phases: dict[str, dict[str, tuple[float | None, float | None]]],
    ours: latency.Cost,
    fast: latency.Latency,
    forked: forking.Forked,
) -> bool:
    """Print the tables; whether everything lies within its bounds."""
    good = True
    for phase, pairs in phases.items():
        print(f"\n{phase}: median second of {COMPARED_S}, the GPU on which the two differ most")
        print(f"{'reading':58}{'exporter':>18}{'nvidia-smi':>18}  verdict")
        for metric, pair in pairs.items():
            agrees = forking.apart(pair) <= TOLERANCES[metric]
            good &= agrees
            shown = ["not told" if value is None else f"{value:,.6g}" for value in pair]
            print(f"{metric:58}{shown[0]:>18}{shown[1]:>18}  {'agrees' if agrees else 'DIFFERS'}")
    ratio = forked.cpu_percent / max(ours.cpu_percent, 1e-3)
    good &= ratio >= CHEAPER_AT_LEAST
    print(
        f"\nexporter: {ours.cpu_percent:.2f} % of a core at one sample and scrape a second, {ours.rss_mib:.1f} MiB RSS"
    )
    print(f"          {fast.series} series, scrape p50 {fast.p50_ms:.2f} ms, p99 {fast.p99_ms:.2f} ms")
    print(f"forking nvidia-smi once a second: {forked.cpu_percent:.2f} % of a core, p50 {forked.p50_ms:.0f} ms")
    verdict = "PASS" if ratio >= CHEAPER_AT_LEAST else "MISS"
    print(f"ratio: {ratio:.1f} times less (goal {CHEAPER_AT_LEAST:g})  {verdict}")
    return good


if __name__ == "__main__":
    sys.exit(main())
