"""Collectors at work on some machines → the reference of all metrics (Markdown).

    python -m exporters.gb10.reference > metrics.md       what the exporter tells of this machine

docs/metrics.md has the same of every machine that the simulator knows; `pytest tests/exporters/gb10/test_reference.py
--update-golden` writes it. There is no second list of metrics anywhere: what no machine shows, the test finds in the
code and fails.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporters.web.exposition import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from prometheus_client import Metric

HEAD = """\
# Metrics of the GB10 exporter

Generated from the code: change a help text there, not here.

What a machine does not say is absent: never 0, never NaN. A collector that fails, or hangs for longer than three of its
intervals, tells nothing; `sparkfleet_gb10_collector_success` is 0 then. GPU metrics are absent while NVML gives no
fresh sample. The unit is the end of the name; values are in base units. "Told by" says on which simulated machines
(`lab/gb10/scenarios`, 15 minutes into each) the metric is there.

"""
# The end of a name (before `_total`) → its unit.
UNITS = ("celsius", "watts", "joules", "hertz", "bytes_per_second", "bytes", "seconds", "ratio")


@dataclass
class Entry:
    """One metric."""

    name: str
    kind: str
    documentation: str
    collector: str
    labels: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)  # those that have it

    @property
    def unit(self) -> str:
        """The unit that its name ends in, if it has one."""
        bare = self.name.removesuffix("_total")
        return next((unit.replace("_", " ") for unit in UNITS if bare.endswith(f"_{unit}")), "")


def gather(entries: dict[str, Entry], collector: str, families: Iterable[Metric], machine: str) -> None:
    """Add what a collector tells of a machine."""
    for family in families:
        kind, suffix = TYPES.get(family.type, (family.type, ""))
        name = family.name + suffix
        entry = entries.setdefault(name, Entry(name, kind, family.documentation, collector))
        if machine not in entry.machines:
            entry.machines.append(machine)
        for sample in family.samples:
            entry.labels += [label for label in sample.labels if label not in entry.labels]


def page(entries: Mapping[str, Entry], machines: Sequence[str]) -> str:
    """The reference, by collector, in the order of an exposition."""
    collectors = list(dict.fromkeys(entry.collector for entry in entries.values()))
    parts = [HEAD]
    for collector in collectors:
        parts.append(f"## {collector}\n\n| metric | type | unit | labels | what it says | told by |\n")
        parts.append("|---|---|---|---|---|---|\n")
        parts.extend(row(entry, machines) for entry in entries.values() if entry.collector == collector)
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def row(entry: Entry, machines: Sequence[str]) -> str:
    """One line of the table."""
    labels = ", ".join(f"`{label}`" for label in entry.labels)
    cells = (f"`{entry.name}`", entry.kind, entry.unit, labels, entry.documentation, told_by(entry, machines))
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |\n"


def told_by(entry: Entry, machines: Sequence[str]) -> str:
    """On which machines the metric is there, the shorter way round."""
    missing = [machine for machine in machines if machine not in entry.machines]
    if not missing:
        return "all"
    return ", ".join(entry.machines) if len(entry.machines) <= len(missing) else "all but " + ", ".join(missing)


def main() -> None:
    """The reference of this machine."""
    from exporters.gb10.flags import parser
    from exporters.gb10.registry import collectors
    from exporters.gb10.snapshot import Snapshot
    from exporters.gb10.sources.host import Host
    from exporters.gb10.sources.sampler_process import SamplerProgram
    from exporters.gb10.watcher import START_S, Watcher

    flags = parser().parse_args([])
    snapshot = Snapshot(START_S)
    watcher = Watcher(snapshot, SamplerProgram(1.0).start, START_S)
    watcher.start()
    watcher.tried.wait(START_S)
    entries: dict[str, Entry] = {}
    for name, part in collectors(Host(flags.procfs, flags.sysfs), snapshot, flags.privileged).items():
        gather(entries, name, part.families(), "this machine")
    watcher.stop()
    sys.stdout.write(page(entries, ["this machine"]))


if __name__ == "__main__":
    main()
