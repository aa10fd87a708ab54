"""/etc/sparkfleet/memguard.json → Config: what the fleet description says about this host's guard."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path("/etc/sparkfleet/memguard.json")
PROC, VM = Path("/proc"), Path("/proc/sys/vm")


class ConfigError(Exception):
    """The configuration cannot be used; the message says why."""


@dataclass(frozen=True)
class Config:
    """`folders`: whose files leave the page cache first. `every_s`: the least time between two system-wide steps."""

    floor_bytes: int
    every_s: float
    watch_s: float
    serving: tuple[str, ...]
    folders: tuple[str, ...]
    sudo: bool
    procfs: Path = PROC
    vm: Path = VM
    run: Path = Path("/run/sparkfleet-memguard")
    state: Path = Path("/var/lib/sparkfleet")

    @property
    def simulated(self) -> bool:
        """Whether figures or switches are not the running kernel's: a stand-in of the lab."""
        return self.procfs != PROC or self.vm != VM


def load(file: Path) -> Config:
    """Read it; raises ConfigError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return Config(
            floor_bytes=int(found["floor_bytes"]),
            every_s=float(found["every_s"]),
            watch_s=float(found["watch_s"]),
            serving=tuple(map(str, found["serving"])),
            folders=tuple(map(str, found["folders"])),
            sudo=bool(found["sudo"]),
            **{name: Path(found[name]) for name in ("procfs", "vm", "run", "state") if name in found},
        )
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file}: {type(error).__name__}: {error}") from None
