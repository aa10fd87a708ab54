"""Fleet, host → what each role wants beside its templates: packages, units, sysctls, users, exact directories.

One function a role, named as the role; those that make a host productive are in `parts`. What a role does in what order
stands in playbooks/roles/<role>.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkfleet.host.kernel import SYSCTLS
from sparkfleet.host.openings import scraped
from sparkfleet.host.parts import ENABLED, EXPORTER_PATH, GB10_EXPORTER, RUNNING, Parts, Secret, sessions
from sparkfleet.host.parts.authority import authority
from sparkfleet.host.parts.connectx import connectx
from sparkfleet.host.parts.containers import containers
from sparkfleet.host.parts.datasets import datasets
from sparkfleet.host.parts.gpu import gpu
from sparkfleet.host.parts.identity import identity
from sparkfleet.host.parts.jupyter import jupyter
from sparkfleet.host.parts.label import label
from sparkfleet.host.parts.memory import memory
from sparkfleet.host.parts.node import node
from sparkfleet.host.parts.ollama import ollama
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

PRIVILEGED, PRIVILEGED_PATH = "exporters/gb10/privileged.py", "/usr/local/lib/sparkfleet/gb10-privileged.py"
STORAGE_LIMIT = "sparkfleet/monitoring/storage_limit.py"
ROTATION_DATES = "sparkfleet/host/rotation_dates.py"
RULES_FOLDER = "/etc/prometheus/rules"
DASHBOARDS_FOLDER = "/etc/sparkfleet/grafana-dashboards"
DASHBOARDS = (
    *(f"exporters/gb10/dashboards/{name}.json" for name in ("fleet", "spark", "memory", "thermals")),
    "exporters/roi/dashboards/roi.json",
)
GRAFANA_KEY = "monitoring.grafana.key"  # not a file of the project: the one that the description names
GRAFANA_ADMIN = "grafana/admin"
TAILNET_KEY = "tailnet.key"  # the same
TAILSCALE_CONTROL = "https://controlplane.tailscale.com"  # what tailscaled calls Tailscale's own control server
CONSOLE, CONSOLE_HASH = "access/console", "/etc/sparkfleet/console-password"
# apport raises fs.suid_dumpable at each start and keeps dumps; three keys on somebody's desk end a week's training.
MASKED = {f"/etc/systemd/system/{unit}": "/dev/null" for unit in ("apport.service", "ctrl-alt-del.target")}


def base(fleet: Fleet, name: str) -> Parts:
    """Packages, time, journal limits, kernel settings, the policy for unattended updates, the host's own identity."""
    wanted = ("ca-certificates", "systemd-timesyncd", "tzdata", "unattended-upgrades", *fleet.base.packages)
    secrets = {}
    if fleet.cloud.provider == "onprem":
        secrets["/etc/sparkfleet/s3.json"] = Secret(f"file:{fleet.controller.store_key(name)}", f"s3/{name}")
    return Parts(
        packages=tuple(sorted(set(wanted))),
        units={"systemd-timesyncd.service": ENABLED, "unattended-upgrades.service": ENABLED},
        sysctls=dict(sorted({**SYSCTLS, **fleet.base.sysctls}.items())),
        links={"/etc/localtime": f"/usr/share/zoneinfo/{fleet.base.timezone}", **MASKED},
        raw=sessions.raw(fleet, name),
        secrets=secrets,
    )


def tailnet(fleet: Fleet, name: str) -> Parts:
    """The tailnet that the host joins; the role installs the package, once its repository's key is there."""
    wanted = fleet.tailnet
    return Parts(
        packages=("ca-certificates", "curl", "gnupg") if wanted.repository else (),
        units={"tailscaled.service": RUNNING},
        raw={"/etc/apt/keyrings/sparkfleet-tailscale.asc": TAILNET_KEY} if wanted.repository and wanted.key else {},
        # The auth key is no secret of the host: it is used once, and what it brought about is described instead.
        tailnet={
            "accept_dns": "no",  # names of the tailnet must not hide those of the site
            "hostname": name,
            "login_server": wanted.login_server or TAILSCALE_CONTROL,
            "ssh": "no",  # Tailscale SSH would be a second way in, past sshd and its keys
            "state": "Running",
            "tags": " ".join(sorted(wanted.tags)),
        },
    )


def access(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001  (every role has the same signature)
    """Who logs in and how: sshd, exact authorized keys, sudo, the firewall table, the audit of all of them."""
    users = {user: "sudo" if person.sudo else "no sudo" for user, person in fleet.access.users.items()}
    console = fleet.access.console
    return Parts(
        packages=("auditd", "nftables", "openssh-server", "sudo"),
        units={
            "auditd.service": ENABLED,
            "sparkfleet-firewall.service": RUNNING,
            "sparkfleet-rotation-dates.timer": RUNNING,
        },
        users=dict(sorted({**users, **({console.user: "sudo"} if console else {})}.items())),
        exact=("/etc/ssh/authorized_keys", "/etc/ssh/sshd_config.d"),
        raw={"/usr/local/lib/sparkfleet/rotation-dates.py": ROTATION_DATES},
        secrets={CONSOLE_HASH: Secret(console.password_hash, CONSOLE)} if console else {},
    )


def exporter(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """The GB10 exporter, and beside it what must be root: a reader on a timer, and a mark of every boot and its end."""
    return Parts(
        packages=("nvme-cli", "python3"),
        units={
            "sparkfleet-gb10-boot.service": RUNNING,
            "sparkfleet-gb10-exporter.service": RUNNING,
            "sparkfleet-gb10-privileged.timer": RUNNING,
        },
        # Masked: nvme-cli brings it, and a host without drives on the network would have a failed unit after each boot.
        links={"/etc/systemd/system/nvmf-autoconnect.service": "/dev/null"},
        raw={PRIVILEGED_PATH: PRIVILEGED},
        zipapps={EXPORTER_PATH: GB10_EXPORTER},
    )


def monitor(fleet: Fleet, name: str) -> Parts:
    """Prometheus, Alertmanager, and the prober that tells a host that is off from an exporter that is."""
    return Parts(
        packages=("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter", "python3"),
        units={
            "prometheus.service": RUNNING,
            "prometheus-alertmanager.service": RUNNING,
            "prometheus-blackbox-exporter.service": RUNNING,
            **sessions.units(fleet, name, Role.MONITOR),
        },
        exact=(RULES_FOLDER,),
        raw={
            "/usr/local/lib/sparkfleet/prometheus-storage-limit.py": STORAGE_LIMIT,
            **sessions.writer(fleet, name),
        },
    )


def grafana(fleet: Fleet, name: str) -> Parts:  # noqa: ARG001
    """Grafana beside Prometheus; the role installs its package, once the repository's key is there."""
    wanted = fleet.monitoring.grafana
    raw = {f"{DASHBOARDS_FOLDER}/{path.rpartition('/')[2]}": path for path in DASHBOARDS}
    if wanted.key:
        raw["/etc/apt/keyrings/sparkfleet-grafana.asc"] = GRAFANA_KEY
    admin = wanted.admin_password
    return Parts(
        packages=("ca-certificates", "curl", "gnupg"),
        units={"grafana-server.service": RUNNING},
        exact=(DASHBOARDS_FOLDER,),
        raw=raw,
        # Described, or made by the role on the host.
        secrets={"/etc/sparkfleet/grafana-admin": Secret(admin, GRAFANA_ADMIN)} if admin else {},
    )


PARTS = {
    Role.BASE: base,
    Role.TAILNET: tailnet,
    Role.ACCESS: access,
    Role.AUTHORITY: authority,
    Role.IDENTITY: identity,
    Role.CONNECTX: connectx,
    Role.GPU: gpu,
    Role.MEMORY: memory,
    Role.CONTAINERS: containers,
    Role.NODE: node,
    Role.DATASETS: datasets,
    Role.LABEL: label,
    Role.JUPYTER: jupyter,
    Role.OLLAMA: ollama,
    Role.EXPORTER: exporter,
    Role.MONITOR: monitor,
    Role.GRAFANA: grafana,
}


def exporters(fleet: Fleet) -> dict[str, dict[str, str]]:
    """Where each exporter is scraped: Prometheus' job → host name → address:port, IPv6 in brackets."""
    found = {
        job: {name: _at(fleet, name, port) for name in fleet.with_role(role)} for job, role, port, _ in scraped(fleet)
    }
    return {job: hosts for job, hosts in found.items() if hosts or job == "gb10"}


def probes(fleet: Fleet) -> dict[str, dict[str, str]]:
    """What is probed of every host: probe module → host name → target."""
    return {
        "icmp": {name: host.addresses[0] for name, host in fleet.hosts.items()},
        "ssh_banner": {name: _at(fleet, name, host.port) for name, host in fleet.hosts.items()},
    }


def _at(fleet: Fleet, name: str, port: int) -> str:
    address = fleet.hosts[name].addresses[0]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
