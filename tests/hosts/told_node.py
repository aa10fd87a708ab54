"""What a host says of its Python environments and its data sets → values."""

from __future__ import annotations

import json
import re
from typing import Any

from asking import answer
from reading import show_rows

SYNC = "sparkfleet-datasets.service"
OWN_PARTS = "/opt/sparkfleet /usr/local/lib/sparkfleet/spark-node.pyz /usr/local/bin/spark-node"
LIST = 'import importlib.metadata as m; print("\\n".join(f"{d.name}=={d.version}" for d in m.distributions()))'


def shell_of(wanted: dict[str, Any]) -> str:
    """Each environment's packages, under its name."""
    words = [
        f"echo '## {name}'; /opt/sparkfleet/{name}/bin/python -I -c '{LIST}' 2>&1" for name in wanted["environments"]
    ]
    return "; ".join([*words, "true"])


class ToldOfNode:
    """Environments, and what the last sync came to."""

    wanted: dict[str, Any]

    @answer(lambda wanted: shell_of({"environments": {}, **wanted}))
    def packages(self, said: str) -> dict[str, list[str]]:
        """Environment → name==version of what it holds, names as PyPA normalizes them."""
        found: dict[str, list[str]] = {}
        for part in said.split("## ")[1:]:
            name, *rows = part.splitlines()
            pairs = (row.partition("==") for row in rows)
            found[name] = [f"{re.sub(r'[-_.]+', '-', package).lower()}=={version}" for package, _, version in pairs]
        return found

    @answer(f"find {OWN_PARTS} ! -type l '(' ! -user root -o -perm /022 ')' 2>/dev/null | head -5")
    def writable_parts(self, said: str) -> list[str]:
        """Some of what `spark-node` and JupyterLab run of which somebody else than root could make something else."""
        return said.splitlines()

    @answer(
        lambda wanted: (
            "timeout 15 /usr/local/bin/spark-node --help >/dev/null 2>&1 && echo runs || echo fails"
            if "node" in wanted["roles"]
            else "true"
        )
    )
    def spark_node(self, said: str) -> str:
        """Whether `spark-node --help` "runs" or "fails"."""
        return said.strip()

    @answer(
        f"systemctl show {SYNC} --property=Result,ActiveState,ExecMainStatus,"
        "CapabilityBoundingSet,NoNewPrivileges,ProtectSystem,ReadWritePaths"
    )
    def sync(self, said: str) -> dict[str, str]:
        """What systemd says of the sync's unit."""
        return show_rows(said)[0]

    @answer(
        lambda wanted: (
            "date +%s; timeout 15 /usr/local/bin/spark-node datasets status --json"
            if wanted.get("datasets")
            else "true"
        )
    )
    def sets(self, said: str) -> dict[str, dict[str, Any]]:
        """Data set → how its last sync ended, with `age_s`, how long ago it was whole last, where it ever was."""
        now, _, rest = said.partition("\n")
        lasts = {name: one.get("last") or {} for name, one in json.loads(rest)["sets"].items()}
        ages = {name: {"age_s": int(now) - last["synced"]} if "synced" in last else {} for name, last in lasts.items()}
        return {name: {**last, **ages[name]} for name, last in lasts.items()}

    @answer(
        lambda wanted: (
            f"cd {wanted['datasets']['folder']} && find . -maxdepth 3 ! -type l ! -path '*/.*' "
            "'(' ! -user root -o -perm /022 -o ! -perm -004 ')' 2>&1 | head -5"
            if wanted.get("datasets")
            else "true"
        )
    )
    def strange_sets(self, said: str) -> list[str]:
        """Some of the data sets that somebody else than root could change, or that not everybody can read."""
        return said.splitlines()
