"""A host → its settings in the keys of `desired`, and facts; one SSH round trip, nothing is changed.

A host that cannot be reached is an error, never an empty answer. What it answers is checked against what it was asked:
keys become paths to remove and variables of Ansible, values stand in Pulumi's state and on terminals.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkfleet.errors import SparkfleetError
from sparkfleet.forms import USER_NAME
from sparkfleet.host.connection import Session, Target
from sparkfleet.text import parsed, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE = Path(__file__).with_name("probe.py")
PLACEHOLDER = "REQUEST: dict[str, Any] = {}"
# -I and -S: neither the user's environment nor site-packages of the host may change what the probe does.
COMMAND = "sudo -n /usr/bin/python3 -IS -"
MOST_VALUE = 4000  # characters; a listing of many names is the longest
MOST_FORGOTTEN = 1000  # settings that a host may report although nobody asked
# What sparkfleet once shipped and no longer describes, as the host's marker names it. No blanks, braces or quotes:
# these names become paths and unit names in Ansible's variables, where "{{ … }}" would be run on the controller.
PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._@+:%,=~\\-]+)+")
UNIT = re.compile(r"[A-Za-z0-9._@:\\][A-Za-z0-9._@:\\-]*\.[a-z]+")
POINTER = re.compile(PATH.pattern + r"#(/[A-Za-z0-9._@+:%,=~ -]+)+")
FORGOTTEN = {"file": PATH, "link": PATH, "secret": PATH, "unit": UNIT, "user": USER_NAME, "json": POINTER}
FACTS = {
    "machine_id", "boot_id", "hostname", "kernel", "machine", "os", "dgx_os", "board", "driver", "memory_total_kib",
    "cmdline", "driver_flavour", "gpu", "watchdog",
    "tailnet_addresses", "tailnet_state",
}  # fmt: skip


@dataclass(frozen=True)
class Observed:
    """What a host has: the settings asked for (absent ones left out), facts, and the address that answered."""

    settings: dict[str, str]
    facts: dict[str, str]
    address: str


def observe(target: Target, settings: Mapping[str, str], *, sysfs: str = "/sys", procfs: str = "/proc") -> Observed:
    """Ask one host; raises UnreachableError, or SparkfleetError when the probe itself fails."""
    with Session(target) as session:
        return ask(session, settings, sysfs=sysfs, procfs=procfs)


def ask(session: Session, settings: Mapping[str, str], *, sysfs: str = "/sys", procfs: str = "/proc") -> Observed:
    """The same over a session that is open already."""
    request = json.dumps({"settings": dict(settings), "sysfs": sysfs, "procfs": procfs})
    # repr of the JSON text inside json.loads: true, false and null need no translation into Python.
    script = PROBE.read_text().replace(PLACEHOLDER, f"REQUEST = json.loads({request!r})", 1)
    result = session.run(COMMAND, stdin=script)
    if result.code != 0:
        last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SparkfleetError(
            f"{session.target.name}: the probe failed: {printable(last)}",
            usually="the automation user lost its sudo rule, or Python 3 is missing.",
            next_step=f"run `spark adopt {session.target.name}`; it repairs both.",
        )
    try:
        found, facts = checked(parsed(result.stdout), settings)
    except ValueError as error:
        raise SparkfleetError(
            f"{session.target.name} gave an answer that the probe does not give: {error}; nothing was done with it.",
            usually="/var/lib/sparkfleet/marker.json was edited on the host, or somebody else has taken the host over.",
            next_step="look at the host before you trust it; mend or remove the marker there, or install it anew.",
        ) from error
    return Observed(found, facts, session.address)


def checked(answer: object, asked: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The settings and facts of an answer, fit to be shown; raises ValueError, printable, when it is not one.

    A setting is one that was asked for, or has the form of one that sparkfleet ships; a value is text.
    """
    if not isinstance(answer, dict) or answer.keys() != {"settings", "facts"}:
        raise ValueError("it is not made of settings and facts")
    found, facts = answer["settings"], answer["facts"]
    if not all(_is_text_by_name(part) for part in (found, facts)):
        raise ValueError("its settings or facts are no texts by name")
    if strange := [key for key in found if key not in asked and not _was_shipped(key)]:
        raise ValueError(f"nobody asked for {printable(strange[0])!r}")
    if len(found) > len(asked) + MOST_FORGOTTEN:
        raise ValueError(f"it names {len(found)} settings where {len(asked)} were asked for")
    if strange := [name for name in facts if name not in FACTS]:
        raise ValueError(f"nobody asked for the fact {printable(strange[0])!r}")
    shown = {key: value if value == asked.get(key) else printable(value, MOST_VALUE) for key, value in found.items()}
    return shown, {name: printable(value) for name, value in facts.items()}


def _is_text_by_name(part: object) -> bool:
    return isinstance(part, dict) and all(isinstance(value, str) for value in part.values())


def _was_shipped(key: str) -> bool:
    kind, _, name = key.partition(":")
    return kind in FORGOTTEN and bool(FORGOTTEN[kind].fullmatch(name)) and len(name) < MOST_VALUE
