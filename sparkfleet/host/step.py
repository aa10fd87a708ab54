"""What a script said on a host, one step of it → its answer, or why there is none. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.text import parsed

if TYPE_CHECKING:
    from sparkfleet.host.connection import Result


def answered(said: Result, *, lines: int = 2) -> tuple[dict[str, Any], str]:
    """The JSON object of a step and "", or what there is of it and the fault: its own, or the last `lines` of stderr.

    Neither is fit to be shown yet: a host can tell anything.
    """
    try:
        answer = parsed(said.stdout)
        fault = answer.get("error")
    except (ValueError, AttributeError):
        return {}, last_words(said, lines=lines)
    return dict(answer), str(fault or "")


def last_words(said: Result, *, lines: int = 2) -> str:
    """The end of what a command complained of; its exit status when it said nothing."""
    return "; ".join(said.stderr.strip().splitlines()[-lines:]) or f"exit status {said.code}"
