"""Fleet, host → what the role label wants beside its templates, and what `spark-node label` is told of the services.

Documents come from strangers and are read by libraries in C: the verbs run as a user of their own, who has nothing but
the workspace and a copy of the loop's secrets while a verb runs (decision 31).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sparkfleet.cloud.sessions import given
from sparkfleet.host.parts import ROI_EXPORTER, RUNNING, Parts, Secret, recurring, sessions
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

USER = "sparkfleet-label"
FOLDER = "/etc/sparkfleet"
RAY = "/var/lib/sparkfleet/ray"  # closed; in it Ray's sessions: sockets, its own logs, what does not fit into its store
# By the names under which the unit's user sees them: systemd.exec(5), LoadCredential.
TOKEN, ADMIN_KEY, STORE_KEY, RAY_TOKEN = "label-studio-token", "calypso-admin-key", "s3.json", "ray-token"


def label(fleet: Fleet, name: str) -> Parts:
    """The environment of the stages, built by the role node's program, the services' secrets, and the exporter."""
    return Parts(
        units={
            "sparkfleet-roi-exporter.service": RUNNING,
            **sessions.units(fleet, name, Role.LABEL),
            **dict.fromkeys(recurring.timers(fleet, name), RUNNING),
            **({"sparkfleet-ray.service": RUNNING} if shares(fleet, name) else {}),
        },
        zipapps={"/usr/local/lib/sparkfleet/roi-exporter.pyz": ROI_EXPORTER},
        secrets={
            f"{FOLDER}/{file}": Secret(source, f"label/{file}") for file, source in references(fleet, name).items()
        },
        environments=("label", *(("ray",) if shares(fleet, name) else ())),
    )


def shares(fleet: Fleet, name: str) -> bool:
    """Whether the host shares work with others."""
    return fleet.label.ray is not None and name in fleet.label.ray.machines


def references(fleet: Fleet, name: str | None = None) -> dict[str, str]:
    """The secrets that are described for the loop on a host, or on any: file → where the controller has it."""
    found = {ADMIN_KEY: fleet.label.calypso.admin_key}
    if fleet.label.ray and (name is None or shares(fleet, name)):
        found[RAY_TOKEN] = fleet.label.ray.token
    if fleet.label.label_studio:
        found[TOKEN] = fleet.label.label_studio.token
    return {file: source for file, source in sorted(found.items()) if source}


def credentials(fleet: Fleet, name: str) -> dict[str, str]:
    """What the unit's user gets a copy of: its name there → the file that is root's."""
    files = [*references(fleet, name), *([STORE_KEY] if _own_key(fleet) else [])]
    return {file: f"{FOLDER}/{file}" for file in files}


def site(fleet: Fleet, name: str) -> dict[str, Any]:
    """/etc/sparkfleet/label.json, as workloads/label/site.py reads it; secrets by the names of `credentials`."""
    wanted, calypso = fleet.label, fleet.label.calypso
    url = calypso.url or fleet.calypso.url
    studio = wanted.label_studio
    served = {
        "url": url,
        "metrics_url": calypso.metrics_url,
        "admin_key_file": ADMIN_KEY if calypso.admin_key else None,
    }
    return {
        "workspace": str(wanted.workspace),
        "datasets": str(fleet.datasets.folder),
        "artifacts": str(wanted.artifacts),
        "python": "/opt/sparkfleet/label/bin/python",
        "label_studio": {"url": studio.url, "token_file": TOKEN} if studio else None,
        "models": _models(fleet),
        "keeping": _keeping(fleet, name),
        "calypso": served if url else None,
        "recurring": recurring.told(fleet, name),
        "ray": _ray(fleet, name),
    }


def _ray(fleet: Fleet, name: str) -> dict[str, Any] | None:
    """How the host finds the others; None where it works alone."""
    ray = fleet.label.ray
    if ray is None or name not in ray.machines:
        return None
    return {
        "address": f"{ray.machines[ray.head]}:{ray.port}",
        "own_address": ray.machines[name],
        "token_file": RAY_TOKEN,
        "store_mib": ray.store_mib,
    }


def told(fleet: Fleet, name: str) -> dict[str, Any]:
    """What templates may name of the loop, on every host: the monitor scrapes it from elsewhere."""
    return {
        "user": USER,
        "site": site(fleet, name),
        "credentials": credentials(fleet, name),
        "triton": _triton(fleet),
        "ray": RAY,
    }


def _triton(fleet: Fleet) -> dict[str, str]:
    """Where Prometheus scrapes Calypso: scheme, target and path; nothing when it is not described."""
    if not fleet.label.calypso.metrics_url:
        return {}
    parts = urlsplit(fleet.label.calypso.metrics_url)
    return {"scheme": parts.scheme, "target": parts.netloc, "path": parts.path or "/metrics"}


def _models(fleet: Fleet) -> dict[str, Any] | None:
    """Where the model repository is; None when no store is described."""
    wanted = fleet.label.models
    if fleet.cloud.provider == "none" and not wanted.aws_profile:
        return None
    own = {"credentials": None, "profile": wanted.aws_profile, "aws_config": None} if wanted.aws_profile else {}
    return {**_store(fleet), "bucket": bucket(fleet), "prefix": wanted.prefix, **own}


def _keeping(fleet: Fleet, name: str) -> dict[str, Any] | None:
    """Where projects' records are kept, by the host's own key; None where it has none, or nobody wants it."""
    if fleet.label.keep is None or not (fleet.cloud.provider == "onprem" or given(fleet)):
        return None
    return {**_store(fleet), "bucket": fleet.bucket("artifacts"), "host": name}


def _store(fleet: Fleet) -> dict[str, Any]:
    """The fleet's own store, and how the loop's user opens it."""
    cloud, profile = fleet.cloud, sessions.profile(fleet, Role.LABEL)
    return {
        "endpoint": cloud.onprem.endpoint if cloud.onprem else None,
        "region": cloud.onprem.region if cloud.onprem else cloud.aws.region if cloud.aws else None,
        "credentials": STORE_KEY if cloud.provider == "onprem" else None,
        "profile": profile,
        "aws_config": sessions.PROFILES if profile else None,
    }


def bucket(fleet: Fleet) -> str:
    """The bucket of the model repository."""
    return fleet.label.models.bucket or fleet.bucket("models")


def _own_key(fleet: Fleet) -> bool:
    """Whether the host has a key for the store, and the loop uses it."""
    uses = fleet.label.keep is not None or not fleet.label.models.aws_profile
    return fleet.cloud.provider == "onprem" and uses


def expected(fleet: Fleet, name: str) -> dict[str, Any]:
    """What the checks are told; empty on a host without the role."""
    if Role.LABEL not in fleet.hosts[name].all_roles:
        return {}
    return {
        "user": USER,
        "workspace": str(fleet.label.workspace),
        "writes": [str(fleet.label.workspace), *([f"-{RAY}"] if shares(fleet, name) else [])],
        "credentials": sorted(credentials(fleet, name)),
        "port": fleet.label.port,
        "timers": {unit: run["calendar"] for unit, run in recurring.timers(fleet, name).items()},
        "ray": _machine(fleet, name),
        "images": _images(fleet, name),
    }


def _machine(fleet: Fleet, name: str) -> dict[str, Any]:
    """What its part of Ray must be; nothing where it shares no work."""
    site, ray = _ray(fleet, name), fleet.label.ray
    if site is None or ray is None:
        return {}
    others = [address for host, address in ray.machines.items() if host != name]
    return {"head": site["address"], "is_head": ray.head == name, "folder": RAY, "others": others, "ports": ray.ports}


def _images(fleet: Fleet, name: str) -> dict[str, dict[str, str]]:
    """Of which images its containers are, and with how much memory; nothing where there are none."""
    loop = fleet.containers.loop
    if loop is None or Role.CONTAINERS not in fleet.hosts[name].all_roles:
        return {}
    return {service: {"image": image, "memory": loop.memory.get(service, "")} for service, image in loop.images.items()}
