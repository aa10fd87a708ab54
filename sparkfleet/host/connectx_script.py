"""Our netplan file → accepted or refused before it takes its place; then in force on our ports alone. Runs ON the host.

As root: standard library, the host's own python3-yaml (netplan itself needs it), Python 3.10 or newer:

    /usr/bin/python3 -I /usr/local/lib/sparkfleet/connectx.py check FILE    FILE: ours, or what is to become it
    /usr/bin/python3 -I /usr/local/lib/sparkfleet/connectx.py apply

`netplan apply` would bring down every interface, the one that we came by included. So the files are generated, and the
renderer that each port has got is told about that port. Ends with 1 and one line of reason on stderr.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

OURS = "90-sparkfleet-connectx.yaml"
# In the order in which netplan reads them; a file hides those of its name in the folders after its own.
FOLDERS = ("run/netplan", "etc/netplan", "lib/netplan")
KEYFILE, NETWORK = (
    "run/NetworkManager/system-connections/netplan-{}.nmconnection",
    "run/systemd/network/10-netplan-{}.network",
)
RENDERER_S = 30


class RefusedError(Exception):
    """What is wrong, in one line."""


def main() -> int:
    """Do as told."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--root", type=Path, default=Path("/"), help="put before every other path, for tests")
    verbs = flags.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check").add_argument("file", type=Path)
    verbs.add_parser("apply")
    given = flags.parse_args()
    try:
        if given.verb == "check":
            check(given.root, given.file)
        else:
            apply(given.root)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def check(root: Path, file: Path) -> None:
    """Raise RefusedError when netplan does not take the file, or another file describes one of its ports as well."""
    ours = set(ports(file))
    for other in others(root):
        if both := sorted(ours & set(ports(other))):
            raise RefusedError(
                f"/{other.relative_to(root)} describes {', '.join(both)} as well, and netplan would merge the two: "
                "take the port out of that file, or out of the fleet's description"
            )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "etc/netplan"
        place.mkdir(parents=True)
        shutil.copy(file, place / OURS)
        (place / OURS).chmod(0o600)  # netplan complains of what others may read
        run("netplan", "generate", "--root-dir", folder)


def others(root: Path) -> list[Path]:
    """Netplan's files that are not ours, those in force alone."""
    found: dict[str, Path] = {}
    for folder in FOLDERS:
        for file in sorted((root / folder).glob("*.yaml")):
            found.setdefault(file.name, file)
    return [file for name, file in sorted(found.items()) if name != OURS]


def ports(file: Path) -> list[str]:
    """The Ethernet interfaces that a netplan file describes, by their names, or by the names that they match or get."""
    try:
        document: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise RefusedError(f"{file} cannot be read as YAML, so netplan would refuse it: {reason}") from error
    network = document.get("network") if isinstance(document, dict) else None
    described = network.get("ethernets") if isinstance(network, dict) else None
    found = []
    for key, value in (described if isinstance(described, dict) else {}).items():
        entry = value if isinstance(value, dict) else {}
        match = entry.get("match")
        matched = match.get("name") if isinstance(match, dict) else None
        found += [str(name) for name in (key, matched, entry.get("set-name")) if name]
    return found


def apply(root: Path) -> None:
    """Generate, and let the renderer of each of our ports take it up; a port without a cable may not be there (K6)."""
    run("netplan", "generate", *(["--root-dir", str(root)] if root != Path("/") else []))
    for port in ports(root / FOLDERS[1] / OURS):
        if not (root / "sys/class/net" / port).exists():
            print(f"{port} is not there: the card sleeps without a cable, or has another name")
        elif (root / KEYFILE.format(port)).exists():
            run("nmcli", "connection", "reload")
            taken_up(port, "nmcli", "--wait", str(RENDERER_S), "connection", "up", f"netplan-{port}")
        elif (root / NETWORK.format(port)).exists():
            run("networkctl", "reload")
            taken_up(port, "networkctl", "reconfigure", port)
        else:
            raise RefusedError(
                f"netplan made nothing for {port}: neither NetworkManager nor systemd-networkd renders it"
            )


def taken_up(port: str, *command: str) -> None:
    """Tell the renderer; a port whose cable is out comes up when it is plugged in."""
    carrier = Path(f"/sys/class/net/{port}/carrier")
    try:
        run(*command)
    except RefusedError:
        try:
            plugged = carrier.read_text(encoding="utf-8").strip() == "1"
        except OSError:  # the interface is down: it cannot say
            plugged = False
        if plugged:
            raise
        print(f"{port} has no link yet: it comes up with its cable")


def run(*command: str) -> None:
    """Raise RefusedError with its last words when a command fails or is missing."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RefusedError(f"{command[0]}: {error}") from error
    if done.returncode:
        words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise RefusedError(f"{' '.join(command[:2])}: {' '.join(words[-6:]) or f'ended with {done.returncode}'}")


if __name__ == "__main__":
    sys.exit(main())
