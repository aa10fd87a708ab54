"""What a host says of its memory guard, and of what it keeps alive when memory runs out → values."""

from __future__ import annotations

import json
import shlex
from typing import Any

from asking import answer
from reading import show_rows, values

GUARD = "/usr/local/bin/spark-memguard"
METRICS = "/var/lib/sparkfleet/metrics/memguard.prom"
NOBODY = "nobody"
NEED = "spark-memguard@40G.service"
# What may be asked of systemd: verb and unit. The first is what the described people may do.
ASKED = (("start", NEED), ("start", "spark-memguard@40G-force.service"), ("stop", NEED), ("start", "ssh.service"))
SURVIVORS = ("sparkfleet.slice", "sparkfleet-gb10-exporter.service", "docker.service", "containerd.service")


def pkchecks(wanted: dict[str, Any]) -> str:
    """Ask polkit, for a process of each person's, whether it may; nothing is started."""
    if wanted["memory"].get("rule") != "polkit":
        return "true"
    lines = []
    for user in (*wanted["memory"]["callers"], NOBODY):
        account = f"--reuid=$(id -u {user}) --regid=$(id -g {user}) --clear-groups"
        lines.append(f"id {user} >/dev/null 2>&1 && {{ setpriv {account} sleep 20 >/dev/null & p=$!;")
        # Until it is that person's: before, it is root, who may do everything.
        lines.append(f"until [ $(stat -c %u /proc/$p) = $(id -u {user}) ]; do sleep 0.05; done;")
        for verb, unit in ASKED:
            detail = f"--detail unit {unit} --detail verb {verb}"
            lines.append(
                f"pkcheck --action-id org.freedesktop.systemd1.manage-units --process $p {detail} >/dev/null 2>&1;"
                f" echo {user} {verb} {unit} $?;"
            )
        lines.append("kill $p; };")
    return f"{' '.join(lines)} true"


def serving(wanted: dict[str, Any]) -> str:
    """How many units each described name or pattern stands for."""
    lines = [
        f"echo $(systemctl list-unit-files --no-legend {unit} | wc -l) "
        f"$(systemctl list-units --all --plain --no-legend {unit} | wc -l) {unit};"
        for unit in map(shlex.quote, wanted["memory"].get("serving", []))
        if ".service" in unit  # a scope is there only while its program runs
    ]
    return " ".join(lines) or "true"


class ToldOfMemory:
    """The answers about memory."""

    wanted: dict[str, Any]

    @answer(f"test -x {GUARD} || exit 0; {GUARD} --json")
    def memguard(self, said: str) -> dict[str, Any]:
        """The guard's report of a run that changes nothing; empty when it is not there."""
        return dict(json.loads(said)) if said else {}

    @answer(f"cat {METRICS} 2>/dev/null || true")
    def memguard_runs(self, said: str) -> float:
        """How many runs its unit has counted."""
        return sum(values(said, "sparkfleet_memguard_runs_total"))

    @answer(pkchecks)
    def guard_rights(self, said: str) -> dict[tuple[str, str, str], bool]:
        """(user, verb, unit) → whether polkit lets that user without a password."""
        rows = (line.split() for line in said.splitlines())
        return {(user, verb, unit): code == "0" for user, verb, unit, code in rows}

    @answer(f"systemctl show --property=Id,LoadState,Slice,MemoryMin,OOMScoreAdjust {' '.join(SURVIVORS)}")
    def survivors(self, said: str) -> dict[str, dict[str, str]]:
        """What should outlive a host without memory, by unit; those that the host does not have are left out."""
        return {row["Id"]: row for row in show_rows(said) if row["LoadState"] == "loaded"}

    @answer(serving)
    def serving_units(self, said: str) -> dict[str, int]:
        """Described name or pattern of a unit that serves → how many units it stands for."""
        rows = (line.split(maxsplit=2) for line in said.splitlines())
        return {unit: int(files) + int(loaded) for files, loaded, unit in rows}

    @answer("cat /proc/sys/vm/min_free_kbytes")
    def min_free_bytes(self, said: str) -> int:
        """What the kernel keeps for itself."""
        return int(said) * 1024
