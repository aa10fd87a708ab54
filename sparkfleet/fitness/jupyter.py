"""The description of jupyter, typed."""

from __future__ import annotations

from sparkfleet.forms import Described


class Jupyter(Described):
    """JupyterLab on loopback, on hosts with the role jupyter."""
