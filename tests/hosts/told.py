"""What a host says of its system → values: a property for each thing, with the command that asks for it."""

from __future__ import annotations

import json
from collections import defaultdict

from asking import answer
from reading import Journald, show_rows
from told_access import ToldOfAccess

UNIT_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,Result,NeedDaemonReload,Before,ControlGroup,"
    "MemoryMin,OOMScoreAdjust,Restart,StateChangeTimestampMonotonic"
)


class Told(ToldOfAccess):
    """The answers of one host, asked together and read where a check wants one; see `asking`."""

    @answer(lambda wanted: f"systemctl show --property={UNIT_PROPERTIES} {' '.join(wanted['units'])}")
    def units(self, said: str) -> dict[str, dict[str, str]]:
        """What systemd says of the described units, by name."""
        return {row["Id"]: row for row in show_rows(said)}

    @answer("systemctl list-units --state=failed --plain --no-legend")
    def failed_units(self, said: str) -> list[str]:
        """The units that systemd calls failed."""
        return [row.split()[0] for row in said.splitlines() if row]

    @answer(lambda wanted: f"cat {wanted['sysfs']}/module/nvidia/version 2>/dev/null || true")
    def driver(self, said: str) -> str:
        """The version of the loaded NVIDIA driver; empty when there is none."""
        return said.strip()

    @answer(
        """systemd-analyze cat-config systemd/journald.conf; echo; echo ----; journalctl --quiet --boot -o json -n 1
        MESSAGE_ID=ec387f577b844b8fa948f33cad9a75e6 "JOURNAL_NAME=System Journal";
        ls -d /var/log/journal/*/system.journal"""
    )
    def journald(self, said: str) -> Journald:
        """Its settings; what it said of its size when it opened its files (SD_MESSAGE_JOURNAL_USAGE); those on disk."""
        settings, _, rest = said.partition("\n----\n")
        pairs = (line.partition("=")[::2] for line in settings.splitlines() if not line.startswith("#") and "=" in line)
        lines = rest.splitlines()
        said_itself = json.loads(lines[0]) if lines and lines[0].startswith("{") else {}
        return Journald(dict(pairs), said_itself, [line for line in lines if line.startswith("/")])

    @answer("readlink /etc/localtime")
    def timezone(self, said: str) -> str:
        """Where /etc/localtime leads."""
        return said.strip()

    @answer("timedatectl show --property=NTPSynchronized --value")
    def clock(self, said: str) -> str:
        """Whether the clock follows a time server: "yes" or "no"."""
        return said.strip()

    @answer("apt-config dump")
    def apt(self, said: str) -> dict[str, list[str]]:
        """The configuration in force for apt; a list's name ends in ::."""
        found: dict[str, list[str]] = defaultdict(list)
        for line in said.splitlines():
            key, _, value = line.partition(" ")
            found[key].append(value.rstrip(";").strip('"'))
        return found

    @answer("systemd-detect-virt --container || true")
    def container(self, said: str) -> str:
        """Which kind of container this is; empty on a machine of its own."""
        return said.strip().removeprefix("none")

    @answer(lambda wanted: "sysctl --ignore " + " ".join(wanted["sysctls"]))
    def sysctls(self, said: str) -> dict[str, str]:
        """The described kernel settings as they are now; one that this kernel lacks is left out."""
        return self._pairs(said)

    @answer("cat /etc/sysctl.d/60-sparkfleet.conf")
    def sysctl_file(self, said: str) -> dict[str, str]:
        """The same as our file sets them at every start."""
        return self._pairs(said)

    @answer("modprobe --showconfig")
    def modprobe(self, said: str) -> dict[str, str]:
        """Module → the command that is run in the place of loading it."""
        rows = (line.split(maxsplit=2) for line in said.splitlines() if line.startswith("install "))
        return {row[1].replace("-", "_"): row[2].strip() for row in rows}

    @answer("cut -d' ' -f1 /proc/modules")
    def modules(self, said: str) -> set[str]:
        """The modules that the kernel has loaded."""
        return set(said.split())

    @staticmethod
    def _pairs(said: str) -> dict[str, str]:
        pairs = (line.split(" = ", 1) for line in said.splitlines() if " = " in line)
        return {key: " ".join(value.split()) for key, value in pairs}
