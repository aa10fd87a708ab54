"""The exporter under attack → what a well-behaved scraper still gets, and what the exporter needs meanwhile.

    python bench/hostile.py [--seconds 20] [--only scrapers]

On the simulated GB10: 100 scrapers without a pause, 100 slow or endless clients, 10,000 requests that are garbage, all
of them at once, and 200 MB of kernel log for the root oneshot. Simulated GB10, measured figures. Ends with 1 when the
exporter grew beyond its bound, ended, or left the scraper without an answer. Needs gcc, no root.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed

from rich.console import Console
from rich.table import Table

from bench.converge import machine
from bench.exporters.simulated import Simulated
from lab.instance import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTACKS = {
    "nobody": {},
    "scrapers": {"scrapers": 100},
    "slow": {"slow": 100},
    "garbage": {"garbage": 10_000},
    "all at once": {"scrapers": 100, "slow": 100, "garbage": 10_000},
}
MOST_MIB = 50.0
PAUSE_S = 0.1
BURST_RECORDS, RECORD_BYTES = 200_000, 1000
REFUSED = "sparkfleet_gb10_web_refused_connections_total"


@dataclass
class Watch:
    """A well-behaved scraper and a look at the exporter's memory, ten times a second, until told to stop."""

    port: int
    pid: int
    took_ms: list[float] = field(default_factory=list)
    failed: int = 0
    peak_mib: float = 0.0

    def run(self, stop: threading.Event) -> None:
        """Scrape until `stop`; each scrape is a connection of its own."""
        while not stop.wait(PAUSE_S):
            begin = time.perf_counter()
            try:
                text = scrape(self.port)
            except (OSError, http.client.HTTPException):
                self.failed += 1
            else:
                self.took_ms.append(1e3 * (time.perf_counter() - begin))
                self.failed += "sparkfleet_gb10_nvml_up 1.0" not in text
            self.peak_mib = max(self.peak_mib, rss_mib(self.pid))

    def quantile(self, share: float) -> float:
        """Milliseconds that so large a share of the scrapes did not exceed."""
        return sorted(self.took_ms)[min(int(share * len(self.took_ms)), len(self.took_ms) - 1)]


def scrape(port: int) -> str:
    """One exposition, asked for from another address than the attackers'."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=("127.0.0.2", 0))
    try:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise http.client.HTTPException(str(answer.status))
    return text


def rss_mib(pid: int) -> float:
    """What the process has in memory."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), flags=re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def threads(pid: int) -> int:
    """How many threads the process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def refused(text: str) -> int:
    """Connections closed for want of room, by an exposition."""
    found = re.search(rf"^{REFUSED} (\S+)$", text, flags=re.MULTILINE)
    return int(float(found[1])) if found else 0


def attacked(port: int, pid: int, seconds: float, numbers: Mapping[str, int]) -> tuple[Watch, dict[str, int]]:
    """One attack; how the scraper fared, and what the attackers saw."""
    watch, stop = Watch(port, pid), threading.Event()
    thread = threading.Thread(target=watch.run, args=(stop,))
    thread.start()
    flags = [f"--{name}={number}" for name, number in numbers.items()]
    command = [sys.executable, str(CHECKOUT / "bench/attack.py"), str(port), f"--seconds={seconds}", *flags]
    try:
        if numbers:
            seen = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        else:
            seen = {}
            time.sleep(seconds)
    finally:
        stop.set()
        thread.join()
    return watch, seen


def exporter(simulated: Simulated) -> tuple[subprocess.Popen[str], int]:
    """The exporter on the simulated machine, and its port."""
    command = [
        sys.executable, "-m", "exporters.gb10", "--web.listen-address=127.0.0.1:0",
        f"--path.procfs={simulated.folder / 'proc'}", f"--path.sysfs={simulated.folder / 'sys'}",
        f"--recorder.file={simulated.folder / 'flight.ring'}", f"--path.privileged={simulated.folder / 'out.json'}",
    ]  # fmt: skip
    environment = os.environ | {
        "NVML_SCENARIO": str(simulated.folder / "scenario"), "LD_LIBRARY_PATH": str(simulated.library),
    }  # fmt: skip
    process = subprocess.Popen(command, env=environment, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True)
    for line in process.stderr or ():
        if found := re.search(r"listening on \S+ port (\d+)", line):
            threading.Thread(target=process.stderr.read if process.stderr else list, daemon=True).start()
            return process, int(found[1])
    raise SystemExit(f"the exporter ended with {process.wait()}")


def burst(simulated: Simulated) -> str:
    """200 MB of kernel log at once → what the oneshot needs for it, and what it counts as lost."""
    log = simulated.folder / "burst"
    command = [
        sys.executable, "-I", "-S", str(CHECKOUT / "exporters/gb10/privileged.py"), f"--kmsg={log}",
        f"--state={simulated.folder / 'state'}", f"--out={simulated.folder / 'out.json'}",
        f"--procfs={simulated.folder / 'proc'}", f"--sysfs={simulated.folder / 'sys'}",
    ]  # fmt: skip
    (simulated.folder / "state").mkdir()
    log.write_text("6,0,1,-;before\n")
    subprocess.run(command, check=True)
    text = b"NVRM: " + b"x" * (RECORD_BYTES - 30)
    with log.open("ab") as file:
        for number in range(1, BURST_RECORDS + 1):
            file.write(b"3,%d,%d,-;%s\n" % (number, number, text))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wrapped = "import runpy,sys; sys.argv=sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__'); "
    wrapped += "print(*[line for line in open('/proc/self/status') if 'VmHWM' in line])"
    measured = subprocess.run([*command[:3], "-c", wrapped, *command[3:]], check=True, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads((simulated.folder / "out.json").read_text())["kernel_log"]
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = " ".join(measured.stdout.split()) or "memory not measured"
    return (
        f"{log.stat().st_size / 1e6:.0f} MB: {spent:.2f} s of processor, {peak}, lost: {told['lost_records']} records"
    )


def main() -> None:
    """Every attack, then the burst; a table, and 1 when a bound is broken."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--seconds", type=float, default=20)
    flags.add_argument("--only", choices=list(ATTACKS))
    asked = flags.parse_args()
    table = Table(title=f"The exporter under attack (simulated GB10, measured on {machine()})")
    for heading in (
        "attack",
        "RSS MiB before",
        "peak",
        "after",
        "threads",
        "p50 ms",
        "p99 ms",
        "worst",
        "scrapes",
        "failed",
        "refused",
    ):
        table.add_column(heading, justify="left" if heading == "attack" else "right")
    bad = []
    console = Console(width=160)
    with tempfile.TemporaryDirectory() as name, Simulated.started(Path(name)) as simulated:
        process, port = exporter(simulated)
        time.sleep(5)
        for attack, numbers in ATTACKS.items():
            if asked.only not in (None, attack):
                continue
            before, refused_before = rss_mib(process.pid), refused(scrape(port))
            watch, seen = attacked(port, process.pid, asked.seconds, numbers)
            after = rss_mib(process.pid)
            table.add_row(
                attack, f"{before:.1f}", f"{watch.peak_mib:.1f}", f"{after:.1f}", str(threads(process.pid)),
                f"{watch.quantile(0.5):.1f}", f"{watch.quantile(0.99):.1f}", f"{watch.quantile(1):.1f}",
                str(len(watch.took_ms)), str(watch.failed), str(refused(scrape(port)) - refused_before),
            )  # fmt: skip
            console.print(f"{attack}: the attackers saw {seen}")
            if watch.peak_mib > MOST_MIB or watch.failed or process.poll() is not None:
                bad.append(attack)
        console.print(table)
        console.print(f"kernel log, {burst(simulated)}")
        process.terminate()
        console.print(f"the exporter ended with {process.wait(10)}")
    if bad:
        sys.exit(f"a bound was broken by: {', '.join(bad)}")


if __name__ == "__main__":
    main()
