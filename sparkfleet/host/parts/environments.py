"""A hashed lock → what a host's environment must hold, for the compliance pack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sparkfleet.host.parts import LOCKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^ \\;]+)(?P<marker> *;)?", re.MULTILINE)


def pins(lock: str) -> dict[str, list[str]]:
    """`locked`: every name==version of the lock, names normalized; `everywhere`: those that no marker leaves out."""
    found = [(f"{normal(match['name'])}=={match['version']}", bool(match["marker"])) for match in PIN.finditer(lock)]
    return {"locked": [pin for pin, _ in found], "everywhere": [pin for pin, marked in found if not marked]}


def normal(name: str) -> str:
    """A package's name as all tools compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def expected(environments: Iterable[str], project: Path) -> Mapping[str, Any]:
    """Each environment of a host with its pins."""
    return {name: pins((project / LOCKS[name]).read_text()) for name in environments}
