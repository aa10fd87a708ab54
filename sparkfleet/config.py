"""Pulumi.<stack>.yaml (or the engine's view of it) → Fleet; all faults together, each with its full path.

Nothing is touched before the whole description is sound.
"""

from __future__ import annotations

import difflib
import json
import re
import types
import typing
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from sparkfleet.cross_checks import cross_faults
from sparkfleet.errors import ConfigError
from sparkfleet.forms import NOT_A_REFERENCE
from sparkfleet.model import Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAMESPACE = "sparkfleet"


def load(stack: str, project: Path) -> Fleet:
    """Read the stack's file, without Pulumi; raises ConfigError. Relative paths become relative to the project."""
    file = project / f"Pulumi.{stack}.yaml"
    if not file.exists():
        known = ", ".join(sorted(f.name.split(".")[1] for f in project.glob("Pulumi.*.yaml"))) or "none"
        raise ConfigError([f"{file.name}: no such file (stacks here: {known})"], where=str(project))
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506  (a SafeLoader that refuses doubles)
    except yaml.YAMLError as error:
        raise ConfigError([f"{file.name}: is not YAML: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"{file.name}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file.name}: is not UTF-8 text: {error.reason}"]) from error
    section = document.get("config") if isinstance(document, dict) else None
    if not isinstance(section, dict):
        raise ConfigError([f'config: expected a map of "{NAMESPACE}:…" keys, found {_shown(section)}'], where=file.name)
    raw = {k.removeprefix(f"{NAMESPACE}:"): v for k, v in section.items() if str(k).startswith(f"{NAMESPACE}:")}
    return anchored(parse(raw, where=file.name), project)


def from_engine(values: Mapping[str, str], project: Path) -> Fleet:
    """Read what the Pulumi engine hands to programs and providers: one JSON text (or plain word) a key."""
    raw: dict[str, Any] = {}
    for key, text in values.items():
        if key.startswith(f"{NAMESPACE}:"):
            name = key.removeprefix(f"{NAMESPACE}:")
            raw[name] = text if name == "fleet" else _decoded(text)
    return anchored(parse(raw, where="the stack's configuration"), project)


def parse(raw: Mapping[str, Any], *, where: str = "") -> Fleet:
    """A plain mapping → Fleet, or ConfigError with every fault: `hosts.spark-03.port: expected …, found "x"`."""
    faults = cross_faults(raw)
    try:
        fleet = Fleet.model_validate(raw)
    except ValidationError as error:
        faults = [_fault(dict(e)) for e in error.errors()] + faults
    else:
        if not faults:
            return fleet
    raise ConfigError(sorted(faults), where=where)


def anchored(fleet: Fleet, project: Path) -> Fleet:
    """The same fleet with its controller folder and file references made absolute."""
    folder = (project / fleet.controller.folder).absolute()
    controller = fleet.controller.model_copy(update={"folder": folder})
    cloud = fleet.cloud
    if cloud.onprem:
        admin = _anchored(cloud.onprem.admin, project)
        cloud = cloud.model_copy(update={"onprem": cloud.onprem.model_copy(update={"admin": admin})})
    grafana = fleet.monitoring.grafana
    anchors = {
        "token": _anchored(grafana.token, project),
        "admin_password": _anchored(grafana.admin_password, project),
        "key": grafana.key and (project / grafana.key).absolute(),
    }
    monitoring = fleet.monitoring.model_copy(update={"grafana": grafana.model_copy(update=anchors)})
    console = fleet.access.console
    if console:
        console = console.model_copy(update={"password_hash": _anchored(console.password_hash, project)})
    calypso = fleet.calypso
    if calypso.restricted:
        opens = {"value": _anchored(calypso.restricted.value, project)}
        calypso = calypso.model_copy(update={"restricted": calypso.restricted.model_copy(update=opens)})
    label, studio, served = fleet.label, fleet.label.label_studio, fleet.label.calypso
    if studio:
        studio = studio.model_copy(update={"token": _anchored(studio.token, project)})
    served = served.model_copy(update={"admin_key": _anchored(served.admin_key, project)})
    tailnet = {
        "auth_key": _anchored(fleet.tailnet.auth_key, project),
        "key": fleet.tailnet.key and (project / fleet.tailnet.key).absolute(),
    }
    return fleet.model_copy(
        update={
            "controller": controller,
            "cloud": cloud,
            "monitoring": monitoring,
            "access": fleet.access.model_copy(update={"console": console}),
            "tailnet": fleet.tailnet.model_copy(update=tailnet),
            "calypso": calypso,
            "label": label.model_copy(update={"label_studio": studio, "calypso": served}),
            "containers": fleet.containers.model_copy(update={"ngc_key": _anchored(fleet.containers.ngc_key, project)}),
        }
    )


def _anchored(reference: str | None, project: Path) -> str | None:
    """A reference to a file, with its path made absolute; any other as it is."""
    if reference is None or not reference.startswith("file:"):
        return reference
    return f"file:{(project / reference.removeprefix('file:')).absolute()}"


class _StrictLoader(yaml.SafeLoader):
    """YAML lets a later key replace an earlier one in silence; a fleet must not lose a host that way."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice in one map."""
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):  # PyYAML's own words for it follow below
                continue
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# Pulumi reads the same file by YAML 1.2, where `no` is a word, and makes dates text; PyYAML alone sees False and dates.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, words) for tag, words in rules if tag.rpartition(":")[2] not in {"bool", "timestamp"}]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|True|TRUE|false|False|FALSE"), [*"tTfF"])


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, default=str, ensure_ascii=False)
    except (TypeError, ValueError):  # YAML knows dates as keys, and maps that hold themselves
        text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        if part == "[key]":
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(the description)"


def _fault(error: dict[str, Any]) -> str:
    """One pydantic error in our words: path, what was expected, what was found, the nearest known word."""
    path, kind, found = _path(error["loc"]), error["type"], error.get("input")
    if kind == "missing":
        return f"{path}: missing"
    if kind == "extra_forbidden":
        word = str(error["loc"][-1])
        near = difflib.get_close_matches(word, _known(error["loc"][:-1]), n=1, cutoff=0.5)
        return f"{path}: unknown key" + (f"; did you mean {near[0]}?" if near else "")
    if kind == NOT_A_REFERENCE:  # what was found may be the secret
        return f"{path}: {error['msg']}"
    message = error["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if kind in {"enum", "literal_error"} and isinstance(found, str):
        near = difflib.get_close_matches(found, [w.strip("' ") for w in error["ctx"]["expected"].split("'")[1::2]], n=1)
        message = f"expected {error['ctx']['expected']}" + (f" (did you mean {near[0]}?)" if near else "")
    return f"{path}: {message}, found {_shown(found)}"


def _known(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model knows at a place of the description."""
    here: Any = Fleet
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
        elif typing.get_origin(here) is dict:
            here = typing.get_args(here)[1]
        if typing.get_origin(here) in {typing.Union, types.UnionType}:
            here = next(a for a in typing.get_args(here) if a is not type(None))
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []
