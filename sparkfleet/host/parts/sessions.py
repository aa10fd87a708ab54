"""Fleet, host → how programs of the host come by sessions of the AWS account: a profile and, but for root, a socket.

The key of the host's certificate is root's. Who is not root asks at a socket of its own, and gets a session of at most
an hour, never the key (decision 37).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.cloud.sessions import given
from sparkfleet.host.parts import RUNNING
from sparkfleet.model import Role
from sparkfleet.session_checks import SAMPLES_PORT

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

PROGRAM, PROGRAM_PATH = "sparkfleet/host/roles_anywhere.py", "/usr/local/lib/sparkfleet/roles-anywhere.py"
WRITER, WRITER_PATH = "sparkfleet/host/sample_writer.py", "/usr/local/lib/sparkfleet/sample-writer.py"
SAMPLES = {"program": WRITER_PATH, "port": SAMPLES_PORT, "token": "/run/sparkfleet-samples/token"}
CONFIG = "/etc/sparkfleet/identity/roles-anywhere.json"
PROFILES = "/etc/sparkfleet/aws.config"
SOCKETS = "/run/sparkfleet-credentials"
NOT_TOLD = "{}\n"  # until `pulumi up` knows the names
USES = {Role.DATASETS: "datasets", Role.LABEL: "label", Role.MONITOR: "prometheus"}
"""The roles whose programs use the account."""


def profile(fleet: Fleet, role: Role) -> str:
    """The profile by which programs of a role use the account; empty when the host gets no sessions."""
    return f"sparkfleet-{USES[role]}" if given(fleet) else ""


def told(fleet: Fleet, name: str) -> dict[str, Any]:
    """What templates may name: the profiles and their commands; nothing when the host gets no sessions."""
    if not given(fleet):
        return {}
    run, roles = f"/usr/bin/python3 -IS {PROGRAM_PATH}", fleet.hosts[name].all_roles
    commands = {Role.DATASETS: f"{run} session {CONFIG}"}
    commands |= {role: f"{run} ask {SOCKETS}/{USES[role]}" for role in asking(fleet, name)}
    return {
        "config": PROFILES,
        "profiles": {profile(fleet, role): command for role, command in commands.items() if role in roles},
        "samples": SAMPLES if writes(fleet, name) else {},
        "serve": f"{run} serve {CONFIG}",
        "sockets": SOCKETS,
    }


def raw(fleet: Fleet, name: str) -> dict[str, str]:
    """The host's own program and what it is told, by the names under which `sources` has them."""
    return {PROGRAM_PATH: PROGRAM, CONFIG: source(name)} if given(fleet) else {}


def writes(fleet: Fleet, name: str) -> bool:
    """Whether the host's samples go to AMP with its own session; Debian's Prometheus needs help to sign them."""
    amp = fleet.monitoring.amp
    return amp is not None and Role.MONITOR in asking(fleet, name) and not (amp.profile or amp.role_arn)


def writer(fleet: Fleet, name: str) -> dict[str, str]:
    """The program that signs samples, as project file by its place on the host."""
    return {WRITER_PATH: WRITER} if writes(fleet, name) else {}


def source(name: str) -> str:
    """Of what a host is told: no file of the project, the controller's note."""
    return f"session/{name}"


def units(fleet: Fleet, name: str, role: Role) -> dict[str, str]:
    """What of the account the role's programs need to run: their socket, and who signs samples."""
    if role not in asking(fleet, name):
        return {}
    signs = {"sparkfleet-samples.service": RUNNING} if role is Role.MONITOR and writes(fleet, name) else {}
    return {f"sparkfleet-credentials-{USES[role]}.socket": RUNNING, **signs}


def asking(fleet: Fleet, name: str) -> list[Role]:
    """The roles of the host whose programs are not root and use the account."""
    roles = fleet.hosts[name].all_roles if given(fleet) else ()
    wanted = [Role.LABEL, *([Role.MONITOR] if fleet.monitoring.amp else [])]
    return [role for role in wanted if role in roles]
