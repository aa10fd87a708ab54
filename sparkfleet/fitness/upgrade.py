"""The description of upgrade, typed."""

from __future__ import annotations

from sparkfleet.forms import Described


class Upgrade(Described):
    """In which rings hosts are upgraded and rebooted."""
