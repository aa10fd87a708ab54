"""The description of datasets, typed."""

from __future__ import annotations

from sparkfleet.forms import Described


class Datasets(Described):
    """What is staged on the NVMe, on hosts with the role datasets."""
