"""How far a run is → a line a stage that moves on a terminal; lines now and then elsewhere; nothing when quiet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from workloads.label.runs import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workloads.label.runs import Step

LINE_EVERY_S = 10.0
WAITS = "waits: a recurring run of another project has the machine, and gives way"
MARKS = {State.DONE: "[green]✓[/green]", State.FAILED: "[red]✗[/red]", State.RUNNING: "…"}

WORDS = {State.DONE: "done", State.FAILED: "failed", State.RUNNING: "at work, or killed"}


class Silent:
    """Hears, and says nothing; those below say it."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave what was said."""

    def waits(self) -> None:
        """A recurring run has the machine."""

    def begin(self, stage: str) -> None:
        """A stage begins."""

    def progress(self, stage: str, done: int, total: int | None, what: str) -> None:
        """So far is it."""

    def end(self, step: Step) -> None:
        """It ended."""


class Lines(Silent):
    """A line when a stage ends and every ten seconds, for the journal."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock, self._said = say, clock, 0.0

    def waits(self) -> None:
        """A line, at once."""
        self._say(WAITS)

    def begin(self, stage: str) -> None:  # noqa: ARG002
        """Ten seconds from now."""
        self._said = self._clock()

    def progress(self, stage: str, done: int, total: int | None, what: str) -> None:
        """A line, when the last one was long ago."""
        if self._clock() - self._said >= LINE_EVERY_S:
            self._said = self._clock()
            self._say(f"{stage}: {counted(done, total)}  {what}")

    def end(self, step: Step) -> None:
        """What it did."""
        self._say(f"{step.stage}: {summary(step)}, {step.seconds:.1f} s")


class Live(Silent):
    """rich's rows: a stage each, with a bar while it is at work and what it did afterwards."""

    def __init__(self, stages: Sequence[str]) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._rows = Progress(
            SpinnerColumn(finished_text=" "), TextColumn("{task.fields[mark]} {task.description}"),
            BarColumn(bar_width=20), TextColumn("{task.fields[told]}"), TimeElapsedColumn(),
        )  # fmt: skip
        self._tasks: dict[str, Any] = {
            name: self._rows.add_task(f"{name:<11}", start=False, total=None, mark=" ", told="") for name in stages
        }

    def __enter__(self) -> Self:
        """Show them."""
        self._rows.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave them on the screen."""
        self._rows.stop()

    def waits(self) -> None:
        """A line above them."""
        self._rows.console.print(WAITS)

    def begin(self, stage: str) -> None:
        """Its clock runs."""
        self._rows.start_task(self._tasks[stage])

    def progress(self, stage: str, done: int, total: int | None, what: str) -> None:
        """Its bar moves."""
        from rich.markup import escape

        told = f"{counted(done, total)}  {escape(what)}"
        self._rows.update(self._tasks[stage], completed=done, total=total, told=told)

    def end(self, step: Step) -> None:
        """What it did stands in its row."""
        from rich.markup import escape

        task, mark = self._tasks[step.stage], MARKS[step.state]
        self._rows.update(task, total=1, completed=1, mark=mark, told=escape(summary(step)))
        self._rows.stop_task(task)


def counted(done: int, total: int | None) -> str:
    """3 of 40."""
    return f"{done:,} of {total:,}" if total is not None else f"{done:,}"


def summary(step: Step) -> str:
    """What a stage told, in one line: "new 40, pages/s 3.2". How long it took stands elsewhere."""
    if step.error:
        return f"failed: {step.error.what}"
    told = {name: value for name, value in step.told.items() if value is not None and name != "seconds"}
    return ", ".join(f"{worded(name)} {figure(value)}" for name, value in told.items()) or WORDS[step.state]


def worded(name: str) -> str:
    """read_bytes → read bytes; pages_s → pages/s."""
    return name.removesuffix("_s").replace("_", " ") + ("/s" if name.endswith("_s") else "")


def figure(value: float | str | None) -> str:
    """4000 → 4,000; 0.91234 → 0.912; nothing → -."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value


def fitting(stages: Sequence[str], *, terminal: bool, quiet: bool, say: Callable[[str], None]) -> Silent:
    """The one for where it is read."""
    if quiet:
        return Silent()
    return Live(stages) if terminal else Lines(say)
