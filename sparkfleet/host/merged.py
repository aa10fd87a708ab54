"""Values for JSON files that are not ours → settings by file and pointer; a broken file → words, before any apply.

Pure. `json:/etc/docker/daemon.json#/features/cdi` is `true`: the value as canonical JSON text, on one line.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sparkfleet.host.desired import Desired
    from sparkfleet.host.plan import Change

KIND = "json"
BROKEN = "broken: "  # how the probe's value begins for a file that is no JSON object
# In JSON these stand in strings alone; Ansible would run them as templates.
TEMPLATE_MARK = re.compile(r"\{(?=[{%#])")


def canonical(value: Any) -> str:
    """One text for each value, the same as the probe's: keys sorted, nothing that a template engine would take up."""
    return TEMPLATE_MARK.sub(r"\\u007b", json.dumps(value, sort_keys=True))


def flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Nested maps → (pointer, value) for everything that is no map; an empty map says nothing."""
    for key, value in values.items():
        pointer = f"{above}/{key.replace('~', '~0').replace('/', '~1')}"
        if isinstance(value, dict):
            yield from flat(value, pointer)
        else:
            yield pointer, value


def settings(merged: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """File → pointer → value, as names and values of the kind `json`."""
    return {
        f"{path}#{pointer}": canonical(value) for path, values in merged.items() for pointer, value in values.items()
    }


def files(desired: Desired, put: Mapping[str, str], drop: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the module `merged` is given: by file, the settings to put and those that are no longer described."""
    found: dict[str, dict[str, Any]] = {}
    for name in [*put, *drop]:
        path = name.partition("#")[0]
        found.setdefault(path, {"role": owner(desired, path) or "base", "put": {}, "drop": [], "validate": ""})
    for name, value in put.items():
        path, _, pointer = name.partition("#")
        found[path]["put"][pointer] = value
    for name in drop:
        path, _, pointer = name.partition("#")
        found[path]["drop"].append(pointer)
    for parts in desired.parts.values():
        for path in found.keys() & parts.merged.keys():
            found[path]["validate"] = parts.validators.get(path, "")
    return found


def owner(desired: Desired, path: str) -> str | None:
    """The role that describes values of this file on the host; None when none does (any more)."""
    return next((str(role) for role, parts in desired.parts.items() if path in parts.merged), None)


def broken(changes: Iterable[Change]) -> dict[str, str]:
    """The files among the changes that the host cannot read as JSON: path → where and what."""
    found = {}
    for change in changes:
        if change.key.startswith(f"{KIND}:") and change.before and change.before.startswith(BROKEN):
            path = change.key.removeprefix(f"{KIND}:").partition("#")[0]
            found[path] = change.before.removeprefix(BROKEN)
    return found
