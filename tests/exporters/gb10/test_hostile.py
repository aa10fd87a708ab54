"""The real exporter under attack, in seconds: it stays small, ends in time, and a well-behaved scraper is answered."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

from bench.hostile import attacked, refused, rss_mib, threads
from exporters.gb10.__main__ import within

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.exporters.gb10.conftest import Machine

UP = "sparkfleet_gb10_nvml_up 1.0"


def test_an_attack_costs_little_and_starves_nobody(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """Scrapers, slow clients and garbage at once: every fair scrape is answered, memory and threads stay bounded."""
    exporter = machine.exporter()
    exporter.until_scraped(UP)
    before = rss_mib(exporter.process.pid), threads(exporter.process.pid)
    watch, seen = attacked(exporter.port, exporter.process.pid, 3, {"scrapers": 100, "slow": 99, "garbage": 1000})
    after = rss_mib(exporter.process.pid), threads(exporter.process.pid)
    with capsys.disabled():
        print(f"\nRSS MiB {before[0]:.0f}, peak {watch.peak_mib:.0f}, after {after[0]:.0f}; {len(watch.took_ms)} fair "
              f"scrapes, p99 {watch.quantile(0.99):.0f} ms; {seen}")  # fmt: skip
    assert (watch.failed, len(watch.took_ms) > 3) == (0, True)
    assert watch.peak_mib < before[0] + 25
    assert after[1] == before[1]
    assert seen["garbage 400"] > 0
    assert refused(exporter.scrape()) > 0  # more clients than places: some had to go


def test_it_ends_within_two_seconds(machine: Machine) -> None:
    """SIGTERM while NVML blocks and a client holds a connection open: exit code 0."""
    machine.load("idle", more="* = wait 600\n")
    exporter = machine.exporter()
    with socket.create_connection(("127.0.0.1", exporter.port)) as client:
        client.sendall(b"GET /met")
        exporter.until(exporter.children)
        started = time.monotonic()
        assert exporter.stop() == 0
        assert time.monotonic() - started < 2


def test_what_does_not_end_is_not_waited_for() -> None:
    """A sampler in the driver's grip, which no signal ends, holds the exporter up for its limit and no longer."""
    forever = threading.Event()
    started = time.monotonic()
    within(0.2, lambda: forever.wait(60) and None)
    assert time.monotonic() - started < 2
    forever.set()


def test_systemd_is_told(machine: Machine, tmp_path: Path) -> None:
    """READY=1 once it listens, WATCHDOG=1 again and again while scrapes are answered, STOPPING=1 at the end."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(tmp_path / "notify"))
    told.settimeout(20)
    environment = machine.environment | {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    exporter = machine.exporter(environment=environment)
    assert [told.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert exporter.stop() == 0
    heard = [told.recv(100)]
    while heard[-1] == b"WATCHDOG=1":
        heard.append(told.recv(100))
    assert heard[-1] == b"STOPPING=1"
