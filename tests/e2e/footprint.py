"""A stand-in → what can be told of it from outside: files with content, mode and owner, units, packages.

Only what differs from the stand-in's base image is read: of all else the overlay says that nobody touched it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

# What a reset does not bring back, and why. Each is a prefix of paths, as a pattern.
EXCEPTIONS = {
    r"/var/log/": "logs: what happened stays told",
    r".*/__pycache__/": "byte code, which Python compiles anew",
    r"/var/cache/": "caches: made anew by whoever needs them",
    r"/var/lib/apt/": "apt's lists and marks, which every `apt-get update` changes",
    r"/var/lib/dpkg/": "dpkg's own books; which packages there are is compared apart",
    r"/var/lib/systemd/": "systemd's stamps of timers, of presets and its random seed",
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$": "the copy that each change of an account leaves",
    r"/etc/\.pwd\.lock$": "the lock of such a change",
    r"/etc/ld\.so\.cache$": "rebuilt by ldconfig",
    r"/home/": "people's homes: one in which somebody, or their notebooks, wrote something is kept",
    r"/var/lib/sparkfleet/": "what adopt noted, and what was put aside: kept on purpose",
    r"/var/lib/NetworkManager/": "what NetworkManager has seen and when",
    r"/var/lib/ucf/": "ucf's own books, with a copy of each state before",
    r"/var/lib/gb10/": "simulated: the stand-in's own sensors, which move",
    r"/(run|tmp|var/tmp|dev|proc|sys)/": "gone at the next boot",
}
AUTOMATION_KEY = ("/etc/ssh/authorized_keys/sparkfleet: ", "/var/lib/sparkfleet-automation/.ssh/authorized_keys: ")
UNITS = "systemctl list-unit-files --no-legend --plain --no-pager; echo; systemctl list-units --all --no-legend --plain"
PACKAGES = r"dpkg-query -W -f=\${Package}=\${Version}=\${db:Status-Status}\\n"
# The last ones end by themselves when nobody has asked them for half a minute.
PASSING = re.compile(r"user|session|systemd-(hostname|locale|timedate)d\.service")


@dataclass(frozen=True)
class Footprint:
    """A stand-in at one moment."""

    files: dict[str, str]
    """Path to state, of what is not as in the base image."""

    enabled: dict[str, str]
    active: frozenset[str]
    packages: frozenset[str]


def of(fleet: FleetUnderTest, host: str) -> Footprint:
    """Look at a stand-in that is on."""
    upper = fleet.instance.host(host) / "upper"
    changed = (path for folder, folders, names in os.walk(upper) for path in _paths(upper, folder, folders + names))
    files = {path: state(fleet.tree(host), path) for path in changed if not excepted(path)}
    told = fleet.on(host, UNITS)
    assert told.code == 0, told.text
    enabled, _, active = told.text.partition("\n\n")
    packages = fleet.on(host, PACKAGES)
    assert packages.code == 0, packages.text
    return Footprint(
        files,
        {row[0]: row[1] for row in map(str.split, enabled.splitlines()) if stays_up(row[0])},
        frozenset(row[0] for row in map(str.split, active.splitlines()) if row[2] == "active" and stays_up(row[0])),
        frozenset(line for line in packages.text.split() if line.endswith("=installed")),
    )


def stays_up(unit: str) -> bool:
    """Whether a unit is one that is up for good, not one of a session, a device or an hour."""
    return unit.endswith((".service", ".socket", ".timer", ".path", ".slice")) and not PASSING.match(unit)


def compare(base: Path, before: Footprint, after: Footprint) -> list[str]:
    """What is not as before, one line each; `base`: the image, for files that only one of the two has changed."""
    found = []
    for path in sorted({*before.files, *after.files}):
        was, now = (one.files.get(path) or state(base, path) for one in (before, after))
        if was != now:
            found.append(f"{path}: {was} → {now}")
    for name in sorted({*before.enabled, *after.enabled}):
        if before.enabled.get(name) != after.enabled.get(name):
            found.append(f"{name}: {before.enabled.get(name)} → {after.enabled.get(name)}")
    found += [f"{name}: active before" for name in sorted(before.active - after.active)]
    # A static unit that was there before runs because somebody asked it (polkit, by D-Bus), not because it was started.
    asked = {name for name, state in before.enabled.items() if state == "static"}
    found += [f"{name}: active now" for name in sorted(after.active - before.active - asked)]
    found += [f"package {name}: gone" for name in sorted(before.packages - after.packages)]
    found += [f"package {name}: new" for name in sorted(after.packages - before.packages)]
    return found


def unexplained(fleet: FleetUnderTest, host: str, before: Footprint) -> list[str]:
    """What is not as before, but for packages that were upgraded because ours need it.

    Those stay: a reset takes no security update back. It tells them as left.
    """
    after = of(fleet, host)
    names = {row.partition("=")[0] for row in before.packages} & {
        row.partition("=")[0] for row in after.packages - before.packages
    }
    info = fleet.tree(host) / "var/lib/dpkg/info"
    lists = [file for name in names for file in (*info.glob(f"{name}.list"), *info.glob(f"{name}:*.list"))]
    # /lib is /usr/lib, whatever path the package was built with.
    theirs = {re.sub(r"^/(bin|lib|sbin)/", r"/usr/\1/", line) for file in lists for line in _lines(file)}
    explained = (*(f"{path}: " for path in theirs), *(f"package {name}=" for name in names))
    return [line for line in compare(base_of(fleet, host), before, after) if not line.startswith(explained)]


def excepted(path: str) -> bool:
    """Whether a path stands among the exceptions."""
    return any(re.match(pattern, path) for pattern in EXCEPTIONS)


def state(root: Path, path: str) -> str:
    """What stands at a path: its content's digest, mode and owner; "absent" when there is nothing."""
    here = root / path.lstrip("/")
    try:
        at = here.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    if stat.S_ISLNK(at.st_mode):
        return f"link {here.readlink()} {at.st_uid}:{at.st_gid}"
    owned = f"{stat.S_IMODE(at.st_mode):04o} {at.st_uid}:{at.st_gid}"
    if stat.S_ISDIR(at.st_mode):
        return f"folder {owned}"
    if stat.S_ISREG(at.st_mode):
        return f"file {hashlib.sha256(here.read_bytes()).hexdigest()[:16]} {owned}"
    return f"other {owned}"


def base_of(fleet: FleetUnderTest, host: str) -> Path:
    """The image from which a stand-in was made."""
    return Path((fleet.instance.host(host) / "factory").read_text().split()[0])


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines()


def _paths(upper: Path, folder: str, names: list[str]) -> list[str]:
    return [os.path.join(folder, name).removeprefix(str(upper)) for name in names]  # noqa: PTH118
