"""The project's own files (templates, role folders, alert rules, the exporter) → Sources, read once.

The reading edge before `desired`: after it, everything is a pure function of values.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sparkfleet.cloud.sessions import noted
from sparkfleet.errors import SparkfleetError
from sparkfleet.host import keyring
from sparkfleet.host.bundle import zipapp_bytes
from sparkfleet.host.parts import (
    ENVIRONMENT,
    JOBS,
    LOCKS,
    UNPACK,
    ZIPAPPS,
    Zipapp,
    alignment,
    connectx,
    containers,
    gpu,
    identity,
    jupyter,
    label,
    sessions,
)
from sparkfleet.host.roles import (
    CONSOLE,
    DASHBOARDS,
    GRAFANA_ADMIN,
    GRAFANA_KEY,
    PRIVILEGED,
    ROTATION_DATES,
    STORAGE_LIMIT,
    TAILNET_KEY,
)
from sparkfleet.model import Role
from sparkfleet.secrets import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.model import Fleet

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = (
    alignment.PROGRAM,
    connectx.SCRIPT,
    containers.CDI_REFRESH,
    containers.ENGINE_RELOAD,
    containers.SELF_TEST,
    *containers.LOOP.values(),
    gpu.SETTINGS,
    ENVIRONMENT,
    JOBS,
    *UNPACK.values(),
    identity.PROGRAM,
    jupyter.GPU_CHECK,
    PRIVILEGED,
    ROTATION_DATES,
    sessions.PROGRAM,
    sessions.WRITER,
)
RAW = (*LOCKS.values(), *PROGRAMS, STORAGE_LIMIT, *DASHBOARDS)
RULES = ("alerts.yml", "recording.yml")  # beside the metrics that they read


@dataclass(frozen=True)
class Sources:
    """What rendering needs beside the fleet: texts by path, rule files by name, digests of roles, zipapps, key ids."""

    templates: Mapping[str, str]
    raw: Mapping[str, bytes]
    rules: Mapping[str, str]
    role_digests: Mapping[Role, str]
    zipapps: Mapping[Zipapp, bytes]
    automation_key: str
    secret_versions: Mapping[str, str]


def read(fleet: Fleet, project: Path = PROJECT) -> Sources:
    """Read everything; raises SparkfleetError when the controller has no automation key yet."""
    templates, raw, digests, zipapps = _files(project)
    rules = rule_files(project)
    raw = {**raw, **_repository_keys(fleet), **_sessions(fleet)}
    public = fleet.controller.private_key.with_suffix(".pub")
    if not public.exists():
        raise SparkfleetError(
            f"The controller has no automation key ({public}).",
            usually="no host of this fleet was adopted yet.",
            next_step=f"run `spark adopt {next(iter(fleet.hosts))}`.",
        )
    if keyring.key_file(fleet.controller, ".old").exists() and not keyring.published(fleet.controller):
        raise SparkfleetError(
            "a rotation of the automation key was killed between the two halves of the new key.",
            next_step="run `spark rotate ssh` again: it goes on where it stopped.",
        )
    return Sources(templates, raw, rules, digests, zipapps, public.read_text().strip(), _secret_versions(fleet))


def _repository_keys(fleet: Fleet) -> dict[str, bytes]:
    """The keys of package repositories of which the description names a file: by the name of the setting."""
    found: dict[str, bytes] = {}
    for setting, path in ((GRAFANA_KEY, fleet.monitoring.grafana.key), (TAILNET_KEY, fleet.tailnet.key)):
        try:
            found |= {setting: path.read_bytes()} if path else {}
        except OSError as error:
            raise SparkfleetError(
                f"{setting}: {path} cannot be read: {error.strerror}",
                next_step="put the key there, or write null: the host then fetches it and checks its fingerprint",
            ) from None
    return found


def _sessions(fleet: Fleet) -> dict[str, bytes]:
    """What each host is told to ask a session of, as far as the controller knows it."""
    known = noted(fleet)
    return {sessions.source(name): known.get(name, sessions.NOT_TOLD).encode() for name in fleet.hosts}


def _secret_versions(fleet: Fleet) -> dict[str, str]:
    """The id of each object-store key that the controller holds (`s3/<host>` → access key id); ids are no secrets."""
    found = {}
    for name in fleet.hosts:
        try:
            key = json.loads(fleet.controller.store_key(name).read_text())
        except (OSError, ValueError):  # not made yet
            continue
        found[f"s3/{name}"] = str(key.get("AccessKeyId"))
    found |= _authority_versions(fleet)
    if fleet.monitoring.grafana.admin_password:
        found[GRAFANA_ADMIN] = fleet.monitoring.grafana.admin_password  # the reference: the password has no id
    if fleet.containers.ngc_key:
        found[containers.NGC] = fleet.containers.ngc_key  # the same
    found |= {f"label/{file}": reference for file, reference in label.references(fleet).items()}  # the same
    if fleet.access.console:
        found |= _console_version(fleet.access.console.password_hash)
    return found


def _authority_versions(fleet: Fleet) -> dict[str, str]:
    """What the controller holds of the fleet's authority, by fingerprint and digest."""
    if not fleet.with_role(Role.AUTHORITY):
        return {}
    from sparkfleet.cloud import authority_files

    return authority_files.versions(fleet.controller.authority, fleet.authority.generation)


def _console_version(reference: str) -> dict[str, str]:
    """The id of a crypt(3) hash `$method$parameters$salt$hash`: a digest of all but the hash itself."""
    try:
        public = resolve(reference).rpartition("$")[0]
    except SparkfleetError:  # told when the hash is shipped
        return {}
    return {CONSOLE: hashlib.sha256(public.encode()).hexdigest()[:8]}


@cache
def rule_files(project: Path = PROJECT) -> dict[str, str]:
    """Every exporter's rule files, as `gb10-alerts.yml` → text."""
    found = sorted(file for name in RULES for file in (project / "exporters").glob(f"*/{name}"))
    return {f"{file.parent.name}-{file.name}": file.read_text() for file in found}


@cache
def _files(project: Path) -> tuple[dict[str, str], dict[str, bytes], dict[Role, str], dict[Zipapp, bytes]]:
    """The part that is the same for every host and every fleet; cached for the life of the process."""
    folder = project / "templates"
    templates = {str(f.relative_to(folder)): f.read_text() for f in sorted(folder.rglob("*.j2"))}
    raw = {name: (project / name).read_bytes() for name in RAW}
    digests = {role: folder_digest(project / "playbooks" / "roles" / role) for role in Role}
    zipapps = {one: zipapp_bytes(project, one.package, one.libraries, one.shared) for one in ZIPAPPS}
    return templates, raw, digests, zipapps


def folder_digest(folder: Path) -> str:
    """Sixteen hex digits over the names and contents of a folder's files; hidden and compiled files do not count."""
    total = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        name = file.relative_to(folder)
        if any(part.startswith(".") or part == "__pycache__" for part in name.parts):
            continue
        total.update(f"{name}\0{file.stat().st_mode & 0o111:o}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]
