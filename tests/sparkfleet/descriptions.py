"""A sound description with every section → copies of it that a test changes, and what `parse` finds wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet import config
from sparkfleet.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61"


def sound() -> dict[str, Any]:
    """A description with every section, without fault."""
    return {
        "fleet": "lab",
        "controller": {"folder": "kept", "user": "sparkfleet", "connect_timeout_s": 5},
        "hosts": {
            "spark-01": {"addresses": ["192.0.2.1", "spark-01.example"], "roles": ["exporter", "monitor"], "port": 22},
            "spark-02": {"addresses": ["2001:db8::2"]},
        },
        "base": {"timezone": "Europe/Berlin", "packages": ["jq"], "sysctls": {"net.core.somaxconn": "4096"}},
        "access": {
            "users": {"alice": {"sudo": True, "authorized_keys": [f"{KEY} alice@example"], "break_glass": True}},
            "tailnet_only": False,
            "container_interfaces": ["docker0", "br-*"],
            "console": {"user": "console", "password_hash": "file:secrets/console"},
            "rotation": {"ssh_days": 30},
        },
        "tailnet": {"auth_key": "env:KEY", "tags": ["tag:spark"], "port": 41641, "key": "tailscale.asc"},
        "exporter": {"port": 9810, "interval_s": 0.5},
        "monitor": {"retention": "30d", "scrape_interval": "15s"},
        "monitoring": {"alerts": "prometheus", "receivers": {"page": {"webhook": "http://192.0.2.9/"}}},
        "cloud": {
            "provider": "onprem",
            "onprem": {
                "endpoint": "http://192.0.2.3:7070",
                "iam_endpoint": "http://192.0.2.3:7071",
                "admin": "file:secrets/admin.json",
            },
            "generations": {"spark-02": 2},
        },
        "waivers": {"ACCESS-01": {"reason": "the installer needs it", "until": "2027-01-31", "hosts": ["spark-01"]}},
    }


def changed(**parts: Any) -> dict[str, Any]:
    """The sound description with top-level keys replaced."""
    return {**sound(), **parts}


def write(folder: Path, text: str, stack: str = "x") -> None:
    """Write a stack's file."""
    (folder / f"Pulumi.{stack}.yaml").write_text(text)


def faults(raw: dict[str, Any]) -> list[str]:
    """Every fault that `parse` names."""
    try:
        config.parse(raw)
    except ConfigError as error:
        return error.faults
    return []
