"""Fleet, host → what the checks of that host are told: the description as plain JSON, no secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.forms import seconds
from sparkfleet.host.openings import addresses, scraped
from sparkfleet.host.parts import (
    alignment,
    authority,
    connectx,
    datasets,
    environments,
    gpu,
    identity,
    jupyter,
    label,
    memory,
)
from sparkfleet.host.roles import PARTS, exporters
from sparkfleet.host.sources import PROJECT, rule_files
from sparkfleet.model import Role
from sparkfleet.monitoring import rules

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Container

    from sparkfleet.model import Fleet

MONITOR_PORTS = (9090, 9093, 9115)  # Prometheus, Alertmanager, the prober
# What a check needs to see although no role names it.
MORE_UNITS = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "auditd.service",
    "ssh.service",
    "ssh.socket",
    "sparkfleet.slice",
)


def request(fleet: Fleet, name: str, address: str, today: dt.date) -> dict[str, Any]:
    """What the checks of one host expect. `address` is the one that answered; `today` decides about waivers."""
    host = fleet.hosts[name]
    parts = {role: PARTS[role](fleet, name) for role in host.all_roles}
    by_version = addresses(fleet, fleet.with_role(Role.MONITOR))
    automation = fleet.controller.private_key.with_suffix(".pub").read_text().strip()
    people = {user: {"keys": p.authorized_keys, "sudo": p.sudo} for user, p in fleet.access.users.items()}
    units = {unit: state for part in parts.values() for unit, state in part.units.items()}
    return {
        "roles": [str(role) for role in parts],
        "address": address,
        "addresses": host.addresses,
        "port": host.port,
        "procfs": str(host.procfs),
        "sysfs": str(host.sysfs),
        "automation_user": fleet.controller.user,
        "users": {**people, fleet.controller.user: {"keys": [automation], "sudo": False}},
        "units": sorted({*MORE_UNITS, *units}),
        "running_units": sorted(unit for unit, state in units.items() if state == "enabled,active"),
        "secret_files": sorted(path for part in parts.values() for path in part.secrets),
        "timezone": fleet.base.timezone,
        "journal_max_use": fleet.base.journal_max_use,
        "sysctls": parts[Role.BASE].sysctls,
        "driver_branch": fleet.gpu.driver.branch,
        "security_updates": fleet.base.automatic_security_updates,
        "max_auth_tries": fleet.access.max_auth_tries,
        "tcp_forwarding": fleet.access.tcp_forwarding,
        "tailnet_only": fleet.access.tailnet_only,
        "open": fleet.access.open,
        "console_user": fleet.access.console.user if fleet.access.console else "",
        "rotation_days": fleet.access.rotation.model_dump(),
        "tailnet": {"port": fleet.tailnet.port, **parts[Role.TAILNET].tailnet} if Role.TAILNET in parts else {},
        "connectx": connectx.expected(fleet, name),
        "environments": environments.expected((e for part in parts.values() for e in part.environments), PROJECT),
        "datasets": datasets.expected(fleet, name),
        "authority": authority.expected(fleet, name),
        "identity": identity.expected(fleet, name),
        "jupyter": jupyter.expected(fleet, name),
        "label": label.expected(fleet, name),
        "alignment": alignment.expected(fleet),
        "gpu": gpu.expected(fleet),
        "memory": memory.expected(fleet, name),
        "containers": PARTS[Role.CONTAINERS](fleet, name).merged if Role.CONTAINERS in parts else {},
        "ollama_port": fleet.ollama.port,
        "sshd_drop_ins": _names_in("etc/ssh/sshd_config.d"),
        "sudoers_drop_ins": _names_in("etc/sudoers.d"),
        "checked_ports": _checked_ports(fleet, name, parts),  # they have checks of their own about who reaches them
        "exporter_port": fleet.exporter.port,
        "scraped_ports": _scraped_ports(fleet, parts),
        "exporters": exporters(fleet),
        "grafana_port": fleet.monitoring.grafana.port,
        "monitors": by_version["v4"] + by_version["v6"],
        "scrape_interval_s": seconds(fleet.monitor.scrape_interval),
        "alerts": _alerts(fleet) if Role.MONITOR in parts else [],
        "evaluator": fleet.monitoring.alerts,
        "retention": fleet.monitor.retention,
        "storage_share": fleet.monitor.storage_share,
        "hosts": list(fleet.hosts),
        "waivers": waivers(fleet, name, today),
    }


def waivers(fleet: Fleet, name: str, today: dt.date) -> dict[str, dict[str, Any]]:
    """The waivers that name this host, by id of the check; one whose day has come is kept and marked expired."""
    return {
        id_: {"reason": waiver.reason, "until": waiver.until.isoformat(), "expired": today >= waiver.until}
        for id_, waiver in fleet.waivers.items()
        if not waiver.hosts or name in waiver.hosts
    }


def _checked_ports(fleet: Fleet, name: str, roles: Container[Role]) -> list[int]:
    ports = _scraped_ports(fleet, roles) + ([fleet.authority.port] if Role.AUTHORITY in roles else [])
    if fleet.label.ray and label.shares(fleet, name):
        first, last = fleet.label.ray.ports
        ports += range(first, last + 1)
    return [*ports, *MONITOR_PORTS] if Role.MONITOR in roles else ports


def _scraped_ports(fleet: Fleet, roles: Container[Role]) -> list[int]:
    """The ports of the host's exporters, which the monitors alone may reach."""
    return [one.port for one in scraped(fleet) if one.role in roles]


def _names_in(folder: str) -> list[str]:
    return sorted(f.name.removesuffix(".j2") for f in (PROJECT / "templates" / folder).iterdir())


def _alerts(fleet: Fleet) -> list[str]:
    """The alerts that the monitor's own Prometheus evaluates: none when another one pages."""
    if fleet.monitoring.alerts != "prometheus":
        return []
    return [name for text in rule_files().values() for name in rules.alerts(text)]
