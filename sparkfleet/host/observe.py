"""A host → its settings in the keys of `desired`, and facts; one SSH round trip, nothing is changed.

A host that cannot be reached is an error, never an empty answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkfleet.errors import SparkfleetError
from sparkfleet.host.connection import Session, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE = Path(__file__).with_name("probe.py")
PLACEHOLDER = "REQUEST: dict[str, Any] = {}"
# -I and -S: neither the user's environment nor site-packages of the host may change what the probe does.
COMMAND = "sudo -n /usr/bin/python3 -IS -"


@dataclass(frozen=True)
class Observed:
    """What a host has: the settings asked for (absent ones left out), facts, and the address that answered."""

    settings: dict[str, str]
    facts: dict[str, str]
    address: str


def observe(target: Target, settings: Mapping[str, str], *, sysfs: str = "/sys") -> Observed:
    """Ask one host; raises UnreachableError, or SparkfleetError when the probe itself fails."""
    with Session(target) as session:
        return ask(session, settings, sysfs=sysfs)


def ask(session: Session, settings: Mapping[str, str], *, sysfs: str = "/sys") -> Observed:
    """The same over a session that is open already."""
    request = json.dumps({"settings": dict(settings), "sysfs": sysfs})
    # repr of the JSON text inside json.loads: true, false and null need no translation into Python.
    script = PROBE.read_text().replace(PLACEHOLDER, f"REQUEST = json.loads({request!r})", 1)
    result = session.run(COMMAND, stdin=script)
    if result.code != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SparkfleetError(
            f"{session.target.name}: the probe failed: {last}",
            usually="the automation user lost its sudo rule, or Python 3 is missing.",
            next_step=f"run `spark adopt {session.target.name}`; it repairs both.",
        )
    answer = json.loads(result.stdout)
    return Observed(answer["settings"], answer["facts"], session.address)
