# ruff: noqa: INP001  (Pulumi runs it; nobody imports it)
"""The fleet description → the bucket in which the fleet's Pulumi state is kept: docs/guides/state.md. Run by Pulumi.

A stack of its own, because a state cannot lie in a bucket that it describes. It reads ../Pulumi.<stack>.yaml of the
stack with its own name, so the fleet is described once.
"""

from __future__ import annotations

from pathlib import Path

import pulumi

from sparkfleet import config
from sparkfleet.cloud.state import provide_state
from sparkfleet.errors import SparkfleetError

PROJECT = Path(__file__).resolve().parents[1]

try:
    for name, value in provide_state(config.load(pulumi.get_stack(), PROJECT)).items():
        pulumi.export(name, value)
except SparkfleetError as error:
    # Without a traceback: the message is meant for whoever wrote the description.
    raise pulumi.RunError(str(error)) from None
