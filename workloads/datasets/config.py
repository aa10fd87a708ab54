"""/etc/sparkfleet/datasets.json → Config: which data sets from which store, and how much room they may take.

The file is rendered from the fleet description (`sparkfleet:datasets`); by hand it looks the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workloads.errors import ConfigError, printable

DEFAULT = Path("/etc/sparkfleet/datasets.json")
MIB = 1 << 20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # of data sets and versions: never one of our own dot files
LATEST = "latest"
CURRENT = "current"
RESERVED = {LATEST, CURRENT}


@dataclass(frozen=True)
class StoreAt:
    """An S3-compatible store; its key: a file that answers as a credential_process, a profile, or the environment."""

    endpoint: str | None = None
    region: str | None = None
    credentials: Path | None = None
    profile: str = ""
    aws_config: Path | None = None  # where the profile stands; None: where the AWS CLI looks


@dataclass(frozen=True)
class Wanted:
    """One data set: where its manifests lie, and which version is wanted."""

    name: str
    bucket: str
    prefix: str
    version: str = LATEST


@dataclass(frozen=True)
class Config:
    """The whole file. Sizes in bytes, the bandwidth in bytes a second over all connections."""

    folder: Path
    store: StoreAt
    sets: dict[str, Wanted]
    keep_free_bytes: int = 0
    connections: int = 16
    bandwidth_bytes_s: int | None = None
    metrics: Path | None = None

    def named(self, names: tuple[str, ...]) -> list[Wanted]:
        """The data sets that were named, or all; raises ConfigError for one that is not described."""
        unknown = [name for name in names if name not in self.sets]
        if unknown:
            known = ", ".join(self.sets) or "none"
            raise ConfigError(f"{printable(unknown[0])}: no such data set here (described: {known})")
        return [self.sets[name] for name in dict.fromkeys(names)] if names else list(self.sets.values())


def load(file: Path) -> Config:
    """Read the file; raises ConfigError that names it and the key that is wrong."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{file} is not there",
            usually="the host has no role datasets yet",
            next_step="describe it and run `pulumi up`, or name a file with --config.",
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: {error}") from error
    try:
        return parse(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        missing = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{file}: {printable(missing)}", next_step="mend the description, or the file.") from error


def parse(data: dict[str, Any]) -> Config:
    """The file's content as a Config; raises KeyError, TypeError or ValueError for what cannot be used."""
    store = data["store"]
    cap = data.get("bandwidth_bytes_s")
    return Config(
        folder=Path(_text(data["folder"], "folder", required=True)),
        store=StoreAt(
            endpoint=_text(store.get("endpoint"), "store.endpoint") or None,
            region=_text(store.get("region"), "store.region") or None,
            credentials=Path(store["credentials"]) if store.get("credentials") else None,
            profile=_text(store.get("profile"), "store.profile"),
            aws_config=Path(store["aws_config"]) if store.get("aws_config") else None,
        ),
        sets={name: _wanted(name, each) for name, each in data["sets"].items()},
        keep_free_bytes=_count(data.get("keep_free_bytes", 0), "keep_free_bytes", 0),
        connections=_count(data.get("connections", 16), "connections", 1),
        bandwidth_bytes_s=None if cap is None else _count(cap, "bandwidth_bytes_s", 1),
        metrics=Path(data["metrics"]) if data.get("metrics") else None,
    )


def version_name(version: str) -> str:
    """The same, if it can name a version; raises ConfigError else."""
    if not NAME.fullmatch(version) or version in RESERVED:
        raise ConfigError(
            f"{printable(version)!r} cannot name a version",
            next_step=f"take letters, digits and . _ -, at most 64; not {' or '.join(sorted(RESERVED))}.",
        )
    return version


def _wanted(name: str, each: dict[str, Any]) -> Wanted:
    version = _text(each.get("version"), f"sets.{name}.version") or LATEST
    if not NAME.fullmatch(name):
        raise ValueError(f"sets: {name!r} cannot name a data set")
    if version != LATEST and (not NAME.fullmatch(version) or version in RESERVED):
        raise ValueError(f"sets.{name}.version: {version!r} cannot name a version")
    prefix = _text(each.get("prefix"), f"sets.{name}.prefix").strip("/")
    return Wanted(
        name, _text(each["bucket"], f"sets.{name}.bucket", required=True), prefix or f"shared/{name}", version
    )


def _text(value: Any, key: str, *, required: bool = False) -> str:
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise TypeError(f"{key}: expected text")
    return value


def _count(value: Any, key: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{key}: expected a whole number from {least} on")
    return value
