"""What a host says of its label loop → values."""

from __future__ import annotations

import json
from typing import Any

from asking import answer
from reading import Listener, listeners, show_rows

EXPORTER = "sparkfleet-roi-exporter.service"
RAY = "sparkfleet-ray.service"
RAY_PROPERTIES = "UnitFileState,ActiveState,User,CapabilityBoundingSet,NoNewPrivileges,ProtectSystem"
UNIT = "spark-node-label@check.service"  # no job has this name: systemd tells what one would get
PROPERTIES = "User,CapabilityBoundingSet,NoNewPrivileges,ProtectSystem,ProtectHome,ReadWritePaths"
TIMER = "Id,UnitFileState,ActiveState,TimersCalendar,Persistent"


def of_role(command: str) -> Any:
    """The command for hosts with the role, with what is described for it; nothing elsewhere."""
    return lambda wanted: command.format(**wanted["label"]) if wanted.get("label") else "true"


def with_ray(command: str) -> Any:
    """The command for hosts that share work; nothing elsewhere."""
    return lambda wanted: command if wanted.get("label", {}).get("ray") else "true"


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

    @answer(of_role(f"systemctl show {RAY} --property={RAY_PROPERTIES}"))
    def ray_unit(self, said: str) -> dict[str, str]:
        """What systemd says of the unit of Ray."""
        return show_rows(said)[0]

    @answer(with_ray("stat -c '%U %a' /var/lib/sparkfleet/ray"))
    def ray_folder(self, said: str) -> str:
        """Owner and mode of the folder of Ray's sockets."""
        return said.strip()

    # Of all of the unit's processes: what was said to each of its token and of telling, and where they listen.
    @answer(
        with_ray(
            f"""group=$(systemctl show {RAY} --property=ControlGroup --value);
            cd /sys/fs/cgroup; pids=$(cat .$group/cgroup.procs systemd$group/cgroup.procs 2>/dev/null | sort -u);
            for pid in $pids; do tr '\\0' '\\n' < /proc/$pid/environ | grep -E '^RAY_(AUTH_MODE|USAGE_STATS_ENABLED)=';
            done | sort | uniq -c; echo ----; for pid in $pids; do ss -lntpH | grep "pid=$pid,"; done; true"""
        )
    )
    def ray_processes(self, said: str) -> tuple[dict[str, int], list[Listener]]:
        """Each setting with the number of processes that have it; where they listen."""
        settings, _, sockets = said.partition("----\n")
        rows = (line.split() for line in settings.splitlines())
        return {setting: int(count) for count, setting in rows}, listeners(
            "".join(f"tcp {line}\n" for line in sockets.splitlines())
        )

    @answer(
        """command -v docker >/dev/null || exit 0;
        docker ps --quiet --filter name=^sparkfleet- | xargs --no-run-if-empty docker inspect"""
    )
    def loop_containers(self, said: str) -> dict[str, dict[str, Any]]:
        """What the engine says of the loop's containers that run, by name."""
        return {each["Name"].lstrip("/"): each for each in json.loads(said or "[]")}

    @answer("sed -n 's/^\\([A-Z]*\\)_IMAGE=/\\1 /p' /etc/sparkfleet/images/settings.env 2>/dev/null || true")
    def loop_images(self, said: str) -> dict[str, str]:
        """Of which image each of the loop's containers will be."""
        return {service.lower(): image for service, image in (line.split() for line in said.splitlines())}
