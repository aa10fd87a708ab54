"""What the lab could not do → one message with what happened and what to do next."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot go on; `next_step` says what the person at the keyboard can do."""

    def __init__(self, what: str, *, next_step: str = "") -> None:
        """Keep the advice on a line of its own."""
        self.what, self.next_step = what, next_step
        super().__init__(f"{what}\n  Next: {next_step}" if next_step else what)
