"""What a host says of its label loop → values."""

from __future__ import annotations

from typing import Any

from asking import answer
from reading import show_rows

EXPORTER = "sparkfleet-roi-exporter.service"
UNIT = "spark-node-label@check.service"  # no job has this name: systemd tells what one would get
PROPERTIES = "User,CapabilityBoundingSet,NoNewPrivileges,ProtectSystem,ProtectHome,ReadWritePaths"
TIMER = "Id,UnitFileState,ActiveState,TimersCalendar,Persistent"


def of_role(command: str) -> Any:
    """The command for hosts with the role, with what is described for it; nothing elsewhere."""
    return lambda wanted: command.format(**wanted["label"]) if wanted.get("label") else "true"


class ToldOfLabel:
    """The loop's unit, its user and its workspace."""

    wanted: dict[str, Any]

    @answer(of_role(f"systemctl show {UNIT} --property={PROPERTIES}"))
    def label_unit(self, said: str) -> dict[str, str]:
        """What systemd says of the unit of the loop's verbs."""
        return show_rows(said)[0]

    @answer(of_role(f"systemctl cat {UNIT}"))
    def label_credentials(self, said: str) -> set[str]:
        """The names of the secrets that a job gets."""
        lines = (line.partition("=")[::2] for line in said.splitlines())
        return {value.partition(":")[0] for key, value in lines if key in {"LoadCredential", "SetCredential"}}

    @answer(
        of_role(
            "getent passwd {user} | cut -d: -f7; getent shadow {user} | cut -d: -f2; id -Gn {user} 2>/dev/null; true"
        )
    )
    def label_account(self, said: str) -> dict[str, str]:
        """Its shell, password (as a hash) and groups; empty where there is no such account."""
        shell, password, groups = [*said.splitlines(), "", "", ""][:3]
        return {"shell": shell, "password": password, "groups": groups}

    @answer(of_role(f"systemctl show 'sparkfleet-label@*.timer' --property={TIMER}"))
    def label_timers(self, said: str) -> dict[str, dict[str, str]]:
        """What systemd says of the timers of recurring runs, by name."""
        return {row["Id"]: row for row in show_rows(said)}

    @answer(
        of_role("cd {workspace} && find . -maxdepth 3 ! -type l '(' ! -user {user} -o -perm /022 ')' 2>&1 | head -5")
    )
    def strange_workspace(self, said: str) -> list[str]:
        """Some of the workspace that somebody else than the loop's user could change."""
        return said.splitlines()
