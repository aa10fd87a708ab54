"""The description of connectx, typed."""

from __future__ import annotations

from sparkfleet.forms import Described


class ConnectX(Described):
    """The pair of ConnectX-7 ports, on hosts with the role connectx."""
