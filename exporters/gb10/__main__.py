"""Flags → the running exporter: /metrics over HTTP, one exposition on standard output, or a flight record told.

    python3 -m exporters.gb10 [--web.listen-address=127.0.0.1:9810] [--path.procfs=/proc] [--path.sysfs=/sys] …
    python3 -I gb10-exporter.pyz …                       the same, packed into one file
    python3 -m exporters.gb10 --once > capture           what one scrape would say
    python3 -m exporters.gb10 replay flight.ring         the last minutes before a power cut

Needs no privileges.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.process_collector import ProcessCollector

from exporters.gb10 import VERSION, flight
from exporters.gb10.collectors import exporter
from exporters.gb10.flags import enabled, parser
from exporters.gb10.parts import Part, Polled
from exporters.gb10.recorder import Recorder
from exporters.gb10.registry import Registry, collectors
from exporters.gb10.snapshot import Snapshot
from exporters.gb10.sources.host import Host, read
from exporters.gb10.sources.sampler_process import SamplerProgram
from exporters.gb10.watcher import START_S, Watcher
from exporters.web.attend import attend
from exporters.web.pages import Pages
from exporters.web.server import Server, listen
from exporters.web.web_config import Watched, WebConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

log = logging.getLogger("gb10-exporter")

OF_NVML = ("nvml", "gpu", "processes")  # without all of these collectors no sampler runs
FIRST_POLLS_S = 1.0
PROCESS_S = 10.0  # its own processor time and memory say nothing new each second
KEPT_SHARE = 0.9  # of NVML's interval: what is read once in it serves the flight recorder and every scrape
STOP_S = 1.0
SWITCH_S = 0.0005  # Python's 5 ms are what a scrape would wait for each poll of a sensor that happens to run


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop; 1 when the address or the web configuration cannot be used."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["replay"]:
        from exporters.gb10 import replay  # late: only people need it

        return replay.main(arguments[1:])
    flags = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    overdue_s = flags.interval + flags.deadline
    snapshot = Snapshot(valid_s=overdue_s, clock_cap_hertz=flags.clock_cap)
    watcher = Watcher(snapshot, SamplerProgram(flags.interval).start, overdue_s)
    parts = collectors(Host(flags.procfs, flags.sysfs, flags.rootfs), snapshot, flags.privileged, flags.textfiles)
    chosen = {name: part for name, part in parts.items() if enabled(flags, name)}
    registry = Registry(chosen, kept_s=KEPT_SHARE * flags.interval)
    sampled = watcher if any(enabled(flags, name) for name in OF_NVML) else None
    try:
        if flags.once:
            once(registry, sampled, START_S + overdue_s)
        else:
            serve(flags, registry, sampled)
    except (OSError, WebConfigError) as error:
        log.error("%s", error)  # noqa: TRY400  the text says it all
        return 1
    return 0


def once(registry: Registry, watcher: Watcher | None, wait_s: float) -> None:
    """Print one exposition."""
    registry.start(FIRST_POLLS_S)
    if watcher:
        watcher.start()
        watcher.tried.wait(wait_s)
    sys.stdout.write(registry.text())
    if watcher:
        within(STOP_S, watcher.stop)


def serve(flags: argparse.Namespace, registry: Registry, watcher: Watcher | None) -> None:
    """Answer scrapes until SIGTERM or SIGINT; OSError or WebConfigError when that cannot begin."""
    web = Watched(flags.web_config)
    listener = listen(*flags.listen)
    text = f"Version {VERSION}. Prometheus metrics of an NVIDIA GB10 machine, by {', '.join(registry.names)}."
    pages = Pages(registry.text, "GB10 exporter", text, web.config)
    server = Server(pages.answer, lambda: web.config().tls)
    registry.add_own(exporter.build_families)
    registry.add_own(lambda: exporter.web_families(server.counts))
    process = Polled("process", Part(ProcessCollector(registry=None).collect, PROCESS_S))
    process.start()
    registry.add_own(process.families)
    recorder = flight_recorder(flags, registry) if flags.ring else None
    registry.start(FIRST_POLLS_S)
    if watcher:
        watcher.start()
    if recorder:
        recorder.start()
    # What exists now stays: the collector of garbage need not look at it in the middle of a scrape again and again.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)
    try:
        asyncio.run(attend(server, pages, listener))
    finally:
        registry.stop()
        if recorder:
            recorder.stop()
        if watcher:
            within(STOP_S, watcher.stop)


def flight_recorder(flags: argparse.Namespace, registry: Registry) -> Recorder:
    """The recorder of what the registry's collectors say."""
    boot = read(flags.procfs / "sys/kernel/random/boot_id").strip()[:8]
    recorder = Recorder(
        Path(flags.ring), lambda: flight.record(registry.families(flight.COLLECTORS), time.time(), boot), boot
    )
    registry.add_own(lambda: exporter.recorder_families(recorder.counts))
    return recorder


def within(limit_s: float, function: Callable[[], None]) -> None:
    """Run the function, and wait so long for its end: a sampler that cannot be killed is left behind."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(limit_s)


if __name__ == "__main__":
    sys.exit(main())
