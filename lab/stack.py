"""Pulumi.lab.yaml + how many stand-ins → the stack that describes exactly this lab.

One stand-in of the lab `lab` is Pulumi.lab.yaml as it is. Every other case is written from it to Pulumi.<stack>.yaml:
spark-02 and on as spark-01, less the role monitor, with addresses and folder of their own lab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from lab.errors import LabError
from lab.instance import Instance, host_names

if TYPE_CHECKING:
    from pathlib import Path

PATTERN = "Pulumi.lab.yaml"
HOSTS = "sparkfleet:hosts"
MONITOR = "monitor"
FIRST = "spark-01"


def name(instance: Instance, sparks: int) -> str:
    """The stack of so many stand-ins: lab, lab4, test, test2 and so on."""
    return instance.name if sparks == 1 else f"{instance.name}{sparks}"


def file(instance: Instance, stack: str) -> Path:
    """The description of that stack."""
    return instance.root / f"Pulumi.{stack}.yaml"


def write(instance: Instance, sparks: int) -> str:
    """Make sure that the description exists; returns the stack's name.

    One that is there is left as it is: somebody may be trying something in it.
    """
    stack = name(instance, sparks)
    if not file(instance, stack).exists():
        file(instance, stack).write_text(text(instance, sparks))
    return stack


def text(instance: Instance, sparks: int) -> str:
    """What is written: the description as YAML."""
    made = describe(yaml.safe_load((instance.root / PATTERN).read_text()), instance, sparks)
    shown = yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=110)
    return f"# Written by `python -m lab up` from {PATTERN}. `down` removes it unless you edited it.\n{shown}"


def discard(instance: Instance) -> None:
    """Remove the description that `write` made for this lab, if nobody edited it."""
    if not chosen(instance).exists() or not (instance.root / PATTERN).exists():
        return
    stack, count = choose(instance, None)
    written = file(instance, stack)
    if written.name != PATTERN and written.exists() and written.read_text() == text(instance, count):
        written.unlink()


def describe(pattern: dict[str, Any], instance: Instance, sparks: int) -> dict[str, Any]:
    """The description of the lab `lab`, with one host → that of `instance` with `sparks` hosts."""
    original = Instance.named("lab")
    made: dict[str, Any] = _moved(
        pattern,
        {
            original.gateway.removesuffix("1"): instance.gateway.removesuffix("1"),
            f".lab/{original.name}": f".lab/{instance.name}",
        },
    )
    first = made["config"][HOSTS][FIRST]
    for host in host_names(sparks)[1:]:
        made["config"][HOSTS][host] = {
            **first,
            "addresses": [instance.address(host)],
            "roles": [role for role in first.get("roles", []) if role != MONITOR],
        }
    return made


def monitors(description: dict[str, Any]) -> list[str]:
    """The hosts that have the role monitor."""
    return [host for host, host_described in description["config"][HOSTS].items() if MONITOR in host_described["roles"]]


def read(instance: Instance, stack: str) -> dict[str, Any]:
    """The description of that stack, as data."""
    found: dict[str, Any] = yaml.safe_load(file(instance, stack).read_text())
    return found


def chosen(instance: Instance) -> Path:
    """Where the lab remembers which stack it was made from."""
    return instance.folder / "stack"


def remembered(instance: Instance) -> str:
    """The name of the stack that this lab was made from; raises LabError when there is no lab."""
    if not chosen(instance).exists():
        raise LabError(f"there is no lab {instance.name!r} in this checkout", next_step="`make up` makes one")
    return chosen(instance).read_text().split()[0]


def choose(instance: Instance, sparks: int | None) -> tuple[str, int]:
    """How many stand-ins and which stack: as asked for, or as before; raises LabError when the two differ.

    Two stacks over one lab would fight for the same buckets and hosts.
    """
    memory = chosen(instance)
    if not memory.exists():
        count = sparks or 1
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(f"{name(instance, count)} {count}\n")
        return name(instance, count), count
    stack, made_with = memory.read_text().split()
    if sparks not in (None, int(made_with)):
        raise LabError(
            f"this lab was made with {made_with} of the stand-ins (stack {stack}), {sparks} are asked for",
            next_step="`make down` first, or say the same number",
        )
    return stack, int(made_with)


def _moved(value: Any, texts: dict[str, str]) -> Any:
    """The same data with these parts of its strings replaced."""
    match value:
        case dict():
            return {key: _moved(inner, texts) for key, inner in value.items()}
        case list():
            return [_moved(inner, texts) for inner in value]
        case str():
            for old, new in texts.items():
                value = value.replace(old, new)
            return value
        case _:
            return value
