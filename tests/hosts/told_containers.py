"""What a host says of its container engine, of CDI and of Ollama → values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from asking import answer

SPECIFICATION = "/run/cdi/nvidia.yaml"
MARK = "\n----\n"


@dataclass(frozen=True)
class Engine:
    """Docker: whether its unit is active, since when, and when its settings were written (seconds since 1970)."""

    active: bool
    started: float
    settings_written: float


@dataclass(frozen=True)
class Cdi:
    """The specification that engines read: how often it names all GPUs, the files that it lacks, others beside it."""

    names_all: int
    missing: list[str]
    others: list[str]


class ToldOfContainers:
    """Engine, CDI, who may use them, and Ollama."""

    wanted: dict[str, Any]

    @answer(
        lambda wanted: "; ".join(
            f"cat {path} 2>/dev/null || true; echo; echo ----" for path in wanted["containers"] or ["/nowhere"]
        )
    )
    def merged_files(self, said: str) -> dict[str, str]:
        """The text of each JSON file into which values are merged; empty when there is none."""
        return dict(zip(self.wanted["containers"], said.split(MARK), strict=False))

    @answer(
        """stat -c %Y /etc/docker/daemon.json 2>/dev/null || echo 0; systemctl show docker.service --timestamp=unix
        --property=ActiveState,ActiveEnterTimestamp"""
    )
    def engine(self, said: str) -> Engine:
        """Whether Docker runs, and since when."""
        written, *rows = said.splitlines()
        row = dict(line.split("=", 1) for line in rows if "=" in line)
        started = row.get("ActiveEnterTimestamp", "").removeprefix("@")
        return Engine(row.get("ActiveState") == "active", float(started or 0), float(written))

    # YAML, or JSON, which is YAML too: both forms of `hostPath: x`.
    @answer(
        f"""grep -oE '"?name"?: *"?all"?([,}}]|$)' {SPECIFICATION} 2>/dev/null | wc -l; echo ----;
        grep -ohE '"?hostPath"?: *"?[^",}}]+' {SPECIFICATION} 2>/dev/null | sed -E 's/^[^:]*: *"?//' | sort -u |
        while read -r path; do test -e "$path" || echo "$path"; done; echo ----;
        grep -lF nvidia.com/gpu /etc/cdi/* /run/cdi/* 2>/dev/null | grep -vx {SPECIFICATION} || true"""
    )
    def cdi(self, said: str) -> Cdi:
        """What the specification says of all GPUs, and what is wrong with it."""
        names, missing, others = (part.split() for part in said.split("----\n"))
        return Cdi(int(names[0]) if names else 0, missing, others)

    @answer("stat -c '%U:%G %a' /run/docker.sock 2>/dev/null || true; getent group docker || true")
    def engine_socket(self, said: str) -> tuple[str, set[str]]:
        """Owner and mode of the engine's socket, "" when there is none; who is in its group."""
        lines = said.splitlines()
        members = {name for line in lines if line.startswith("docker:") for name in line.split(":")[3].split(",")}
        return next((line for line in lines if not line.startswith("docker:")), ""), members - {""}

    # The names of files with a password in them, never the files' words.
    @answer(
        """grep -lE '"auth"[[:space:]]*:' /root/.docker/config.json /home/*/.docker/config.json 2>/dev/null || true"""
    )
    def plain_logins(self, said: str) -> list[str]:
        """The Docker settings of people that hold a registry's password."""
        return said.split()

    @answer("grep -hE '^[[:space:]]*mode[[:space:]]*=' /etc/nvidia-container-runtime/config.toml 2>/dev/null || true")
    def runtime_mode(self, said: str) -> str:
        """How NVIDIA's runtime was told to bring in devices; empty when it finds out itself."""
        return said.partition("=")[2].strip().strip('"')

    @answer(
        """systemctl show ollama.service --property=MainPID,ActiveState,UnitFileState,ExecStartPre;
        pid=$(systemctl show ollama.service --property=MainPID --value);
        echo Uid=$(awk '/^Uid:/ {print $3}' "/proc/$pid/status" 2>/dev/null)"""
    )
    def ollama(self, said: str) -> dict[str, str]:
        """What systemd says of Ollama, and as whom it runs."""
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def open_ports(ruleset: list[dict[str, Any]]) -> set[int]:
    """The ports that some table translates whatever address was asked: what containers publish to everybody."""
    found = set()
    for rule in (entry["rule"] for entry in ruleset if "rule" in entry):
        if not any(word in part for part in rule.get("expr", []) for word in ("dnat", "redirect", "xt")):
            continue
        matches = [part["match"] for part in rule["expr"] if "match" in part]
        asked = {match["left"].get("payload", {}).get("field"): match["right"] for match in matches}
        if isinstance(asked.get("dport"), int) and not json.dumps(asked.get("daddr", "")).startswith('"127.'):
            found.add(int(asked["dport"]))
    return found
