"""Flags → the running exporter: /metrics over HTTP, or one exposition on standard output.

    python3 -m exporters.gb10 [--web.listen-address=127.0.0.1:9810] [--path.procfs=/proc] [--path.sysfs=/sys]
    python3 -I gb10-exporter.pyz …               the same, packed into one file
    python3 -m exporters.gb10 --once > capture   what one scrape would say

Needs no privileges.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from exporters.gb10.registry import Registry, collectors, health
from exporters.gb10.snapshot import Snapshot
from exporters.gb10.sources.host import Host
from exporters.gb10.sources.sampler_process import Sampler
from exporters.gb10.watcher import START_S, Watcher

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

log = logging.getLogger("gb10-exporter")


def seconds(text: str) -> float:
    """A flag's value in seconds, more than 0."""
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600 seconds")
    return value


def address(text: str) -> tuple[str, int]:
    """HOST:PORT, [HOST]:PORT or :PORT (every interface) → host and port; port 0 takes a free one."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  what ":PORT" means in every exporter


def parser() -> argparse.ArgumentParser:
    """The flags, named as exporters name theirs."""
    flags = argparse.ArgumentParser(prog="gb10-exporter", description="Prometheus metrics of an NVIDIA GB10 machine.")
    flags.add_argument(
        "--web.listen-address", dest="listen", metavar="HOST:PORT", type=address, default="127.0.0.1:9810"
    )
    flags.add_argument("--path.procfs", dest="procfs", metavar="PATH", type=Path, default=Path("/proc"))
    flags.add_argument("--path.sysfs", dest="sysfs", metavar="PATH", type=Path, default=Path("/sys"))
    flags.add_argument(
        "--path.privileged", dest="privileged", metavar="FILE", type=Path,
        default=Path("/run/sparkfleet-gb10/privileged.json"),
    )  # fmt: skip
    flags.add_argument("--nvml.interval", dest="interval", metavar="SECONDS", type=seconds, default=1.0)
    flags.add_argument(
        "--nvml.deadline", dest="deadline", metavar="SECONDS", type=seconds, default=5.0,
        help="how much later than the interval a sample may come before the sampler is given up (default %(default)s)",
    )  # fmt: skip
    flags.add_argument("--once", action="store_true", help="print one exposition and end")
    flags.add_argument("--nvml.sample", dest="sample", action="store_true", help=argparse.SUPPRESS)  # be the child
    return flags


def sampler_command(interval_s: float) -> list[str]:
    """How to start this very program as the sampler, packed into a zipapp or not."""
    archive = getattr(__spec__ and __spec__.loader, "archive", None)  # the file that Python imports this module out of
    program = ["-I", archive] if archive else ["-m", "exporters.gb10"]
    return [sys.executable, *program, "--nvml.sample", f"--nvml.interval={interval_s}"]


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    flags = parser().parse_args(arguments)
    if flags.sample:
        from exporters.gb10 import sampler  # late: the serving process never loads NVML

        return sampler.run(flags.interval)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    overdue_s = flags.interval + flags.deadline
    snapshot = Snapshot(valid_s=overdue_s)
    watcher = Watcher(snapshot, lambda: Sampler(sampler_command(flags.interval)), overdue_s)
    parts = collectors(Host(flags.procfs, flags.sysfs), snapshot, flags.privileged)
    registry = Registry(parts)
    registry.start(wait_s=1)
    watcher.start()
    try:
        if flags.once:
            watcher.tried.wait(START_S + overdue_s)
            sys.stdout.write(registry.text())
        else:
            served = CollectorRegistry()
            served.register(Families(registry))
            ProcessCollector(registry=served)
            serve(served, *flags.listen)
    finally:
        watcher.stop()
    return 0


class Families(Collector):
    """The registry as prometheus_client wants it."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        """All families."""
        outcomes = self._registry.outcomes()
        for outcome in outcomes.values():
            yield from outcome.families
        yield from health(outcomes)


def serve(registry: CollectorRegistry, host: str, port: int) -> None:
    """Answer scrapes until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server, _thread = start_http_server(port, host, registry)
    log.info("listening on %s port %d", host, server.server_port)
    stop.wait()
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
