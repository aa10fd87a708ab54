"""Measured runs → medians, ratios against the goals, and one table. Pure but for printing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bench.measure import median

if TYPE_CHECKING:
    from bench.measure import Run

LABEL = "simulated hosts, measured times"

PLAN = "spark plan"
PLAN_TWICE = "spark plan, twice the hosts"
PLAN_CALL = "observe and plan, as a call"
ANSIBLE = "ansible-playbook"
PIPELINING = "ansible-playbook, pipelining"
PYINFRA = "pyinfra"
APPLY_15 = "observe, plan, apply, observe"
UP_15 = "pulumi up --refresh"
ANSIBLE_15 = "ansible-playbook, 15 files"
PIPELINING_15 = "ansible-playbook, pipelining, 15 files"
PYINFRA_15 = "pyinfra, 15 files"

NOTHING = (PLAN, PLAN_TWICE, PLAN_CALL, ANSIBLE, PIPELINING, PYINFRA)
FILES = (APPLY_15, UP_15, ANSIBLE_15, PIPELINING_15, PYINFRA_15)
WARM_UP = (PLAN, PIPELINING, PYINFRA_15, APPLY_15)
OURS = {PLAN, PLAN_TWICE, PLAN_CALL, APPLY_15, UP_15}


@dataclass(frozen=True)
class Goal:
    """The time of one case over the time of another, at most."""

    case: str
    peer: str
    at_most: float


GOALS = (
    Goal(PLAN, ANSIBLE, 0.02),
    Goal(PLAN, PYINFRA, 0.2),
    Goal(PLAN_TWICE, PLAN, 1.6),
    Goal(APPLY_15, ANSIBLE_15, 0.1),
    Goal(APPLY_15, PYINFRA_15, 0.7),
)


@dataclass(frozen=True)
class Result:
    """Everything that was measured, and where. The loads are those of 1, 5 and 15 minutes."""

    machine: str
    hosts: int
    load_before: tuple[float, float, float]
    load_after: tuple[float, float, float]
    runs: dict[str, list[Run]]
    label: str = LABEL
    date: str = field(default_factory=lambda: time.strftime("%Y-%m-%d"))


def ratios(result: Result) -> list[tuple[Goal, float]]:
    """Every goal of which both cases were measured, with what was reached."""
    middle = {name: median(runs).wall_s for name, runs in result.runs.items()}
    return [(g, middle[g.case] / middle[g.peer]) for g in GOALS if g.case in middle and g.peer in middle]


def met(result: Result) -> bool:
    """Whether no goal was missed."""
    return all(reached <= goal.at_most for goal, reached in ratios(result))


def show(result: Result) -> None:
    """Print the table."""
    console = Console(width=120, highlight=False)
    console.print(f"\n[bold]{result.hosts} stand-ins: {LABEL}[/]  {result.date}  {result.machine}")
    shown = (" ".join(f"{value:.1f}" for value in load) for load in (result.load_before, result.load_after))
    console.print("load of 1, 5, 15 minutes: {} before, {} after".format(*shown))
    times = Table("case", "", "wall s", "controller CPU s", "all runs", title="whole-process seconds, medians")
    for title, names in (("nothing to change", NOTHING), ("15 files changed", FILES)):
        times.add_section()
        for number, name in enumerate(n for n in names if n in result.runs):
            runs = result.runs[name]
            style = "bold" if name in OURS else ""
            walls = " ".join(f"{run.wall_s:.2f}" for run in runs)
            middle = median(runs)
            times.add_row(
                name, "" if number else title, f"{middle.wall_s:.2f}", f"{middle.cpu_s:.2f}", walls, style=style
            )
    console.print(times)
    goals = Table("case", "against", "ratio", "goal", "", title="goals")
    for goal, reached in ratios(result):
        verdict = "[green]PASS[/]" if reached <= goal.at_most else "[red]MISS[/]"
        goals.add_row(goal.case, goal.peer, f"{reached:.3f}", f"≤ {goal.at_most}", verdict)
    console.print(goals)
