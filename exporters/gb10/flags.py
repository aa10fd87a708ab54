"""The command line → settings: flags named as exporters name theirs."""

from __future__ import annotations

import argparse
from pathlib import Path

from exporters.gb10 import VERSION
from exporters.gb10.registry import collectors
from exporters.gb10.snapshot import Snapshot
from exporters.gb10.sources.host import Host
from exporters.web.flags import add_web

PRIVILEGED = Path("/run/sparkfleet-gb10/privileged.json")
RING = "/var/lib/sparkfleet-gb10-exporter/flight.ring"


def seconds(text: str) -> float:
    """A flag's value in seconds, more than 0."""
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600 seconds")
    return value


def hertz(text: str) -> float:
    """A flag's value in megahertz → hertz."""
    value = float(text)
    if not 0 < value <= 10_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 10000 megahertz")
    return value * 1e6


def folder(text: str) -> Path | None:
    """A flag's value as a path; empty is none."""
    return Path(text) if text else None


def parser() -> argparse.ArgumentParser:
    """Every flag; `enabled` maps the collectors' names to whether they are wanted."""
    flags = argparse.ArgumentParser(
        prog="gb10-exporter",
        description="Prometheus metrics of an NVIDIA GB10 machine. `gb10-exporter replay FILE` shows a flight record.",
        allow_abbrev=False,
    )
    add = flags.add_argument
    add("--version", action="version", version=f"gb10-exporter {VERSION}")
    add("--once", action="store_true", help="print one exposition and end")
    add_web(flags, "127.0.0.1:9810")
    add("--path.procfs", dest="procfs", metavar="PATH", type=Path, default=Path("/proc"))
    add("--path.sysfs", dest="sysfs", metavar="PATH", type=Path, default=Path("/sys"))
    add("--path.rootfs", dest="rootfs", metavar="PATH", type=Path, default=Path("/"))
    add(
        "--path.privileged", dest="privileged", metavar="FILE", type=Path, default=PRIVILEGED,
        help="what the root oneshot hands over (default %(default)s)",
    )  # fmt: skip
    add(
        "--recorder.file", dest="ring", metavar="FILE", default=RING,
        help="the flight recorder's ring; empty: none (default %(default)s)",
    )  # fmt: skip
    add("--nvml.interval", dest="interval", metavar="SECONDS", type=seconds, default=1.0)
    add(
        "--nvml.deadline", dest="deadline", metavar="SECONDS", type=seconds, default=5.0,
        help="how much later than the interval a sample may come before the sampler is given up (default %(default)s)",
    )  # fmt: skip
    add(
        "--gpu.clock-cap", dest="clock_cap", metavar="MEGAHERTZ", type=hertz,
        help="the clock that the operator has capped the GPU at (nvidia-smi -lgc): no fault, and told when it is lost",
    )  # fmt: skip
    add(
        "--collector.textfile.directory", dest="textfiles", metavar="PATH", type=folder, default=None,
        help="tell what other programs leave there as *.prom, too; empty (the default): nothing",
    )  # fmt: skip
    for name in collectors(Host(Path("/proc"), Path("/sys")), Snapshot(1), PRIVILEGED):
        add(f"--collector.{name}", action=argparse.BooleanOptionalAction, default=True, help="on unless told otherwise")
    return flags


def enabled(flags: argparse.Namespace, name: str) -> bool:
    """Whether a collector is wanted; textfile has its folder for that, and no flag of its own."""
    return bool(getattr(flags, f"collector.{name}", True))
