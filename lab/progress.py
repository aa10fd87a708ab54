"""What the lab is doing → lines that show it has not hung, and at the end a table of how long each phase took.

    with Progress() as progress, progress.phase("toolchain"), progress.step("building pulumi"): …

Steps may run in several threads. A terminal or a file get the same: a line when a step ends, and every few seconds
one for what is under way.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

BEAT_S = 10.0

Step = Callable[[str], AbstractContextManager[None]]  # says what is being done for as long as it lasts


def silent(_: str) -> AbstractContextManager[None]:
    """A step that nobody hears of."""
    return nullcontext()


def duration(seconds: float) -> str:
    """72.4 → 1 min 12 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


class Progress:
    """Tells what is under way; remembers the phases."""

    def __init__(self, console: Console | None = None, beat_s: float = BEAT_S) -> None:
        """Print to `console`; say what is under way every `beat_s` seconds."""
        self.console = console or Console(highlight=False)
        self.phases: list[tuple[str, float]] = []
        self._began = time.monotonic()
        self._bootstrap_s = max(0.0, time.time() - float(os.environ.get("LAB_STARTED", time.time())))  # make sets it
        self._beat_s = beat_s
        self._active: dict[str, float] = {}
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        """Start telling."""
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Fall silent."""
        self._over.set()
        self._heart.join()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A part of the whole whose time is shown at the end. Phases may overlap."""
        begin = time.monotonic()
        yield
        self.phases.append((name, time.monotonic() - begin))

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Something that takes a moment."""
        self._active[text] = begin = time.monotonic()
        mark = "[red]✗[/red]"
        try:
            yield
            mark = "[green]✓[/green]"
        finally:
            del self._active[text]
            # At once: the error itself may have to wait for a build in another thread.
            self.console.print(f"  {mark} {text}  [dim]{duration(time.monotonic() - begin)}[/dim]", soft_wrap=True)

    def table(self) -> Table:
        """The phases and their times."""
        table = Table("phase", "time", title="how long it took", title_justify="left")
        for name, seconds in [("bootstrap", self._bootstrap_s), *self.phases]:
            table.add_row(name, duration(seconds))
        table.add_row("all, side by side", duration(self._bootstrap_s + time.monotonic() - self._began))
        return table

    def _beat(self) -> None:
        while not self._over.wait(self._beat_s):
            now = time.monotonic()
            under_way = [f"{text} {duration(now - begin)}" for text, begin in list(self._active.items())]
            if under_way:
                self.console.print(f"  [dim]… {', '.join(under_way)}[/dim]", soft_wrap=True)
