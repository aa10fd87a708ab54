"""The exporter, nvitop-exporter and node_exporter on one simulated GB10 → latency, cost and what each says in a fault.

    python bench/exporter.py [--rounds 1000] [--seconds 60] [--json FILE] [--no-faults]

Simulated GB10, measured times. Ends with 1 when a goal is missed. Needs gcc and the bench environment, no root.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed

from rich.console import Console
from rich.table import Table

from bench.converge import machine
from bench.exporters import contenders, faults, latency
from bench.exporters.contenders import NODE, NVITOP, OURS
from bench.exporters.simulated import Simulated

if TYPE_CHECKING:
    from bench.exporters.faults import Said
    from bench.exporters.latency import Cost, Latency

USUAL_S = 15  # monitor.scrape_interval, unless described otherwise
BLOCKED_S = 60  # how long NVML blocks while scrapes go on


@dataclass(frozen=True)
class Goal:
    """One figure, at most."""

    name: str
    reached: float
    at_most: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.reached <= self.at_most


@dataclass(frozen=True)
class Result:
    """Everything that was measured, and where."""

    machine: str
    date: str
    load: tuple[float, float, float]
    latencies: dict[str, Latency]
    blocked: dict[str, Latency]
    costs: dict[str, Cost]
    usual: dict[str, Cost]
    said: list[Said]
    label: str = "simulated GB10, measured times"


def main() -> int:
    """Measure, print, exit 1 when a goal is missed."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="sfb-") as name, ExitStack() as stack:
        simulated = stack.enter_context(Simulated.started(Path(name)))
        everybody = [
            stack.enter_context(contenders.started(who, simulated.folder, simulated.library))
            for who in (OURS, NVITOP, NODE)
        ]
        say(f"{options.rounds} scrapes of each, in turns")
        fast = latency.latencies(everybody, options.rounds)
        say(f"{options.seconds} seconds at one scrape a second")
        costs = latency.costs(everybody, options.seconds)
        say(f"{options.seconds} seconds at one scrape each {USUAL_S} seconds, as a monitor has it")
        usual = latency.costs(everybody, options.seconds, USUAL_S)
        say(f"NVML blocks for {BLOCKED_S} seconds")
        simulated.block(BLOCKED_S)
        blocked = latency.latencies(everybody[:1], int(BLOCKED_S / latency.PAUSE_S / 1.3))
        said = [] if options.no_faults else faults.ask(everybody, simulated.load, faults.FAULTS)
    date = time.strftime("%Y-%m-%d")
    result = Result(machine(), date, os.getloadavg(), fast, blocked, costs, usual, said)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=1) + "\n")
    return 0 if all(goal.met for goal in goals(result)) else 1


def arguments() -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=1000, help="scrapes of each exporter")
    parser.add_argument("--seconds", type=int, default=60, help="how long processor time is counted")
    parser.add_argument("--json", type=Path, help="write everything there")
    parser.add_argument("--no-faults", action="store_true", help="leave out what each says in a fault (6 minutes)")
    return parser.parse_args()


def goals(result: Result) -> list[Goal]:
    """What was promised, with what was reached."""
    ours, peer = result.costs[OURS], result.costs[NVITOP]
    fast, blocked = result.latencies[OURS], result.blocked[OURS]
    return [
        Goal("scrape p99", fast.p99_ms, 2.0, "ms"),
        Goal("scrape p99 while NVML blocks / before", blocked.p99_ms / fast.p99_ms, 1.2),
        Goal("processor time / nvitop-exporter's, scraped each second", ours.cpu_percent / peer.cpu_percent, 0.5),
        Goal(
            f"the same, scraped each {USUAL_S} seconds",
            result.usual[OURS].cpu_percent / result.usual[NVITOP].cpu_percent,
            0.5,
        ),
        Goal("resident memory, all processes", ours.rss_mib, 50.0, "MiB"),
    ]


def show(result: Result) -> None:
    """Print the tables."""
    console = Console(width=130, highlight=False)
    console.print(f"\n[bold]{result.label}[/]  {result.date}  {result.machine}")
    table = Table(
        "exporter",
        "series",
        "p50 ms",
        "p99 ms",
        "worst ms",
        "CPU %",
        f"each {USUAL_S} s",
        "RSS MiB",
        "private MiB",
        "processes",
    )
    rows = [(name, latency, result.costs[name]) for name, latency in result.latencies.items()]
    for name, fast, cost in rows:
        style = "bold" if name == OURS else ""
        cells = [f"{value:.2f}" for value in (fast.p50_ms, fast.p99_ms, fast.worst_ms, cost.cpu_percent)]
        cells.append(f"{result.usual[name].cpu_percent:.2f}")
        memory = [f"{value:.1f}" for value in (cost.rss_mib, cost.private_mib)]
        table.add_row(name, str(fast.series), *cells, *memory, str(cost.processes), style=style)
    for name, fast in result.blocked.items():
        cells = [f"{value:.2f}" for value in (fast.p50_ms, fast.p99_ms, fast.worst_ms)]
        table.add_row(f"{name}, NVML blocks", str(fast.series), *cells, *[""] * 5, style="bold")
    console.print(table)
    reached = Table("goal", "reached", "at most", "")
    for goal in goals(result):
        verdict = "[green]PASS[/]" if goal.met else "[red]MISS[/]"
        reached.add_row(goal.name, f"{goal.reached:.2f} {goal.unit}", f"{goal.at_most:g} {goal.unit}", verdict)
    console.print(reached)
    if result.said:
        told = Table("fault", OURS, NVITOP, NODE, title="what each says", show_lines=True)
        for fault in dict.fromkeys(said.scenario for said in result.said):
            told.add_row(fault, *(words(said) for said in result.said if said.scenario == fault))
        console.print(told)


def words(said: Said) -> str:
    """One cell of the table."""
    if not said.answered:
        return "[red]does not answer[/]"
    return "\n".join(line.replace("[", r"\[") for line in said.lines) or faults.SILENT


def say(text: str) -> None:
    """What is under way."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
