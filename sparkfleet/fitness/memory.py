"""The description of memory, typed."""

from __future__ import annotations

from sparkfleet.forms import Described


class Memory(Described):
    """The memory guard, on hosts with the role memory."""
