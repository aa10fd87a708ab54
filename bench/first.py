"""Adopted stand-ins → how long their first convergence takes, the product beside a conventional playbook; one table.

    python bench/first.py --hosts 4 --repeat 2 [--json FILE]

Simulated hosts, measured times. Every run gets stand-ins that nobody has converged before: half of them the product,
half of them the playbook, in turns. Makes its own lab (`bench`), removes it, and needs root as the lab does.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed

from rich.console import Console
from rich.table import Table

from bench import converge, measure, standins
from bench.peers import generate
from lab import spark
from lab.instance import host_names

if TYPE_CHECKING:
    from bench.measure import Run
    from sparkfleet.model import Fleet

GOAL = 0.3
OURS, PLAYBOOK = "observe, plan, apply, observe", "ansible-playbook"


def main() -> int:
    """Measure, print, exit 1 when the goal is missed."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the lab is removed then, too
    names = host_names(2 * options.hosts)
    halves = {OURS: names[: options.hosts], PLAYBOOK: names[options.hosts :]}
    runs: dict[str, list[Run]] = {OURS: [], PLAYBOOK: []}
    with standins.described(len(names), converge.say) as fleet, converge.run_folder() as folder:
        for number in range(options.repeat):
            for case, hosts in halves.items():
                standins.adopt(hosts, converge.say)
                standins.add_apt_module(fleet, hosts)
                run = measure.process(*words(case, fleet, hosts, folder))
                # The mark of a role that was applied is the product's own.
                standins.require_as_described(fleet, hosts, case, but="nothing" if case == OURS else "role")
                runs[case].append(run)
                converge.say(f"run {number + 1}: {case}: {run.wall_s:.1f} s")
                wipe(hosts)
    reached = show(options.hosts, runs)
    if options.json:
        told = {case: [vars(run) for run in some] for case, some in runs.items()}
        options.json.write_text(json.dumps({"machine": converge.machine(), "runs": told}, indent=1) + "\n")
    return 0 if reached <= GOAL else 1


def arguments() -> Any:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hosts", type=int, default=4, help="stand-ins a run")
    parser.add_argument("--repeat", type=int, default=2, help="runs a case; the median counts")
    parser.add_argument("--json", type=Path, help="write every run there")
    return parser.parse_args()


def wipe(hosts: list[str]) -> None:
    """Off, and back to what the factory made of them."""
    for host in hosts:
        spark.halt(standins.INSTANCE, host)
        shutil.rmtree(standins.INSTANCE.host(host))


def words(case: str, fleet: Fleet, hosts: list[str], folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command of a case and its environment."""
    if case == OURS:
        return [
            sys.executable,
            str(Path(__file__).with_name("product.py")),
            standins.STACK,
            *hosts,
        ], standins.environment()
    peers = generate.write(fleet, hosts, folder)
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    plain = converge.ansible(folder, len(hosts), pipelining=False)
    return [program, "-i", str(peers.inventory), str(peers.playbook)], plain


def show(hosts: int, runs: dict[str, list[Run]]) -> float:
    """Print the table; returns the ratio."""
    middle = {case: measure.median(some) for case, some in runs.items()}
    reached = middle[OURS].wall_s / middle[PLAYBOOK].wall_s
    console = Console(width=120, highlight=False)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    console.print(f"\n[bold]first convergence of {hosts} stand-ins: simulated hosts, measured times[/]  "
                  f"{time.strftime('%Y-%m-%d')}  {converge.machine()}, load {load}")  # fmt: skip
    table = Table("case", "wall s", "controller CPU s", "all runs")
    for case, some in runs.items():
        every = " ".join(f"{run.wall_s:.1f}" for run in some)
        table.add_row(case, f"{middle[case].wall_s:.1f}", f"{middle[case].cpu_s:.1f}", every)
    console.print(table)
    verdict = "[green]PASS[/]" if reached <= GOAL else "[red]MISS[/]"
    console.print(f"{OURS} / {PLAYBOOK}: {reached:.2f} (goal ≤ {GOAL}) {verdict}")
    return reached


if __name__ == "__main__":
    sys.exit(main())
