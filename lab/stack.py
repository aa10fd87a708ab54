"""Pulumi.lab.yaml + how many stand-ins → the stack that describes exactly this lab.

One stand-in of the lab `lab` is Pulumi.lab.yaml as it is. Every other case is written from it to Pulumi.<stack>.yaml:
spark-02 and on as spark-01, less the role monitor, with addresses and folder of their own lab. With a tailnet all hosts
join it and are then reached through it alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from lab.errors import LabError
from lab.instance import Instance, host_names
from lab.tailnet.admin import CONTROLLER_TAG, TAG

if TYPE_CHECKING:
    from pathlib import Path

PATTERN = "Pulumi.lab.yaml"
HOSTS = "sparkfleet:hosts"
MONITOR = "monitor"
TAILNET = "tailnet"  # the role, its section, and the word in the lab's memory
FIRST = "spark-01"
PROOF_WINDOW_S = 40  # a stand-in on a loaded machine proves itself in 5 s


class Choice(NamedTuple):
    """What a lab is made of."""

    stack: str
    sparks: int
    tailnet: bool


def name(instance: Instance, sparks: int, *, tailnet: bool = False) -> str:
    """The stack of so many stand-ins: lab, lab4, test2-tailnet and so on."""
    return f"{instance.name}{'' if sparks == 1 else sparks}{f'-{TAILNET}' if tailnet else ''}"


def file(instance: Instance, stack: str) -> Path:
    """The description of that stack."""
    return instance.root / f"Pulumi.{stack}.yaml"


def write(instance: Instance, sparks: int, *, tailnet: bool = False) -> str:
    """Make sure that the description exists; returns the stack's name.

    One that is there is left as it is: somebody may be trying something in it.
    """
    stack = name(instance, sparks, tailnet=tailnet)
    if not file(instance, stack).exists():
        file(instance, stack).write_text(text(instance, sparks, tailnet=tailnet))
    return stack


def text(instance: Instance, sparks: int, *, tailnet: bool = False) -> str:
    """What is written: the description as YAML."""
    made = describe(yaml.safe_load((instance.root / PATTERN).read_text()), instance, sparks)
    if tailnet:
        made = join(made, instance)
    shown = yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=110)
    return f"# Written by `python -m lab up` from {PATTERN}. `down` removes it unless you edited it.\n{shown}"


def discard(instance: Instance) -> None:
    """Remove the description that `write` made for this lab, if nobody edited it."""
    if not chosen(instance).exists() or not (instance.root / PATTERN).exists():
        return
    made_of = choose(instance, None)
    written = file(instance, made_of.stack)
    if written.name == PATTERN or not written.exists():
        return
    if written.read_text() == text(instance, made_of.sparks, tailnet=made_of.tailnet):
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


def join(description: dict[str, Any], instance: Instance) -> dict[str, Any]:
    """The same fleet in the lab's tailnet: every host joins it, and is then reached through it alone.

    The address on the bridge stays the second one: before the join it is the only one that answers.
    """
    config = description["config"]
    hosts = {
        host: {
            **described,
            "addresses": [instance.tailnet_address(host), instance.address(host)],
            "roles": [*(role for role in described.get("roles", []) if role != TAILNET), TAILNET],
        }
        for host, described in config[HOSTS].items()
    }
    access = {**config["sparkfleet:access"], "tailnet_only": True, "proof_window_s": PROOF_WINDOW_S}
    tailnet = {
        **config.get(f"sparkfleet:{TAILNET}", {}),
        "login_server": instance.login_server,
        "auth_key": f"file:.lab/{instance.name}/secrets/tailnet-auth-key",
        "tags": [TAG],
        "policy": {"operators": [CONTROLLER_TAG]},
        "repository": "",  # the stand-ins' own sources have the package
    }
    changed = {HOSTS: hosts, "sparkfleet:access": access, f"sparkfleet:{TAILNET}": tailnet}
    return {**description, "config": {**config, **changed}}


def monitors(description: dict[str, Any]) -> list[str]:
    """The hosts that have the role monitor."""
    return [host for host, host_described in description["config"][HOSTS].items() if MONITOR in host_described["roles"]]


def address(description: dict[str, Any], host: str) -> str:
    """Where a host that is as described is reached: the first of its addresses."""
    return str(description["config"][HOSTS][host]["addresses"][0])


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


def choose(instance: Instance, sparks: int | None, *, tailnet: bool | None = None) -> Choice:
    """How many stand-ins, with a tailnet or not: as asked for, or as before; raises LabError when the two differ.

    Two stacks over one lab would fight for the same buckets and hosts.
    """
    memory = chosen(instance)
    if not memory.exists():
        new = Choice(name(instance, sparks or 1, tailnet=bool(tailnet)), sparks or 1, bool(tailnet))
        memory.parent.mkdir(parents=True, exist_ok=True)
        memory.write_text(f"{new.stack} {new.sparks}{f' {TAILNET}' if new.tailnet else ''}\n")
        return new
    stack, count, *rest = memory.read_text().split()
    made_of = Choice(stack, int(count), TAILNET in rest)
    if sparks not in (None, made_of.sparks) or tailnet not in (None, made_of.tailnet):
        asked = f"{sparks or made_of.sparks}{_words(made_of.tailnet if tailnet is None else tailnet)}"
        raise LabError(
            f"this lab was made with {made_of.sparks} of the stand-ins{_words(made_of.tailnet)} (stack {stack}), "
            f"{asked} are asked for",
            next_step="`make down` first, or ask for the same",
        )
    return made_of


def _words(tailnet: bool) -> str:
    return " in a tailnet" if tailnet else ""


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
