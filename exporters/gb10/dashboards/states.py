"""State sets (one 0/1 series a state) → one number a Spark, with its words: what a coloured bar can show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.dashboards.limits import GREEN, ORANGE, RED

if TYPE_CHECKING:
    from exporters.dashboards.panels import Words

LOW_POWER = ("ok", "capped", "thermal", "power_cap", "stuck")
PAIR = ("up", "degraded", "down")

LOW_POWER_WORDS: Words = {
    0: ("ok", GREEN),
    1: ("clock capped by an operator", "blue"),
    2: ("slowed: heat", ORANGE),
    3: ("slowed: power cap", ORANGE),
    4: ("STUCK at low power", RED),
}
PAIR_WORDS: Words = {0: ("both up", GREEN), 1: ("one of two down", ORANGE), 2: ("down", RED)}
ANSWERS: Words = {0: ("no", RED), 1: ("yes", GREEN)}


def numbered(metric: str, states: tuple[str, ...], by: str = "instance") -> str:
    """An expression for the number of the state that holds: 0 for the first, 1 for the second and so on."""
    arms = " or ".join(f'{number} * @{metric}{{state="{state}"}}' for number, state in enumerate(states))
    return f"max by ({by}) ({arms})"
