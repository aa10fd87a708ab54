"""The description of containers, typed."""

from __future__ import annotations

from sparkfleet.forms import Described


class Containers(Described):
    """Container engine and toolkit, on hosts with the role containers."""
