"""Fleet, Desired, changes → what Ansible reads: a rendered tree a host and a dynamic inventory.

Pure but for `write_tree`. The inventory holds references of secrets, never a secret.
"""

from __future__ import annotations

import base64
import json
import shlex
from typing import TYPE_CHECKING, Any

from sparkfleet import secrets
from sparkfleet.host import merged, upgrade_rings
from sparkfleet.host.connection import Target
from sparkfleet.host.openssh import ssh_options
from sparkfleet.host.parts.identity import enrolment
from sparkfleet.host.plan import roles_of
from sparkfleet.model import Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sparkfleet.host.desired import Desired
    from sparkfleet.host.plan import Change
    from sparkfleet.model import Fleet

# What sparkfleet takes away again when it is no longer described. Packages and kernel settings stay.
MANAGED = ("file:", "link:", "unit:", "secret:", "user:", f"{merged.KIND}:")


def tree(desired: Desired, changes: Sequence[Change] | None = None) -> str:
    """The rendered tree as JSON text: files with text or base64, links, directories that hold nothing else.

    Only the files that the changes name, or all of them when `changes` is None: the exporter alone is a megabyte.
    """
    named = {c.key for c in changes} if changes is not None else set(desired.settings)
    files = {}
    for path, file in desired.files.items():
        if f"file:{path}" not in named:
            continue
        entry: dict[str, Any] = {
            "role": file.role,
            "mode": file.mode,
            "owner": file.owner,
            "group": file.group,
            "validate": file.validate,
        }
        try:
            entry["text"] = file.content.decode()
        except UnicodeDecodeError:
            entry["base64"] = base64.b64encode(file.content).decode()
        files[path] = entry
    links, exact = {}, {}
    for role, parts in desired.parts.items():
        links.update({path: {"role": role, "target": target} for path, target in parts.links.items()})
        for folder in parts.exact:
            exact[folder] = {"role": role, "names": desired.settings[f"listing:{folder}"].split()}
    return json.dumps({"files": files, "links": links, "exact": exact}, indent=1, sort_keys=True)


def variables(desired: Desired, changes: Sequence[Change] | None) -> dict[str, Any]:
    """The host's Ansible variables: limited to what the changes name, or everything when `changes` is None."""
    named = {c.key for c in changes} if changes is not None else set(desired.settings)
    roles = list(desired.roles) if changes is None else roles_of(changes)
    gone = [c.key for c in changes or () if c.after is None]

    def of(kind: str, *, whole_role: bool = False) -> dict[str, str]:
        prefix = f"{kind}:"
        return {
            key.removeprefix(prefix): value
            for key, value in desired.settings.items()
            if key.startswith(prefix) and (key in named or (whole_role and desired.role_of(key) in roles))
        }

    references = {path: s.reference for parts in desired.parts.values() for path, s in parts.secrets.items()}
    return {
        "sparkfleet_roles": [str(role) for role in roles],
        "sparkfleet_packages": sorted(of("package")),
        "sparkfleet_units": of("unit", whole_role=True),
        "sparkfleet_users": of("user"),
        "sparkfleet_remove": [k.partition(":")[2] for k in gone if k.startswith(("file:", "link:", "secret:"))],
        "sparkfleet_stop": [k.partition(":")[2] for k in gone if k.startswith("unit:")],
        "sparkfleet_users_gone": [k.partition(":")[2] for k in gone if k.startswith("user:")],
        "sparkfleet_secrets": {path: {"reference": references[path]} for path in of("secret")},
        "sparkfleet_tailnet": of("tailnet", whole_role=True),
        "sparkfleet_merged": merged.files(
            desired, of(merged.KIND), [k.partition(":")[2] for k in gone if k.startswith(f"{merged.KIND}:")]
        ),
        "sparkfleet_secret_settings": {
            key.removeprefix("secret:"): value for key, value in desired.settings.items() if key.startswith("secret:")
        },
        "sparkfleet_role_digests": {str(r): d for r, d in desired.role_digests.items() if r in roles},
        "sparkfleet_managed": {k: v for k, v in desired.settings.items() if k.startswith(MANAGED)},
    }


def host_variables(
    fleet: Fleet, desired: Desired, changes: Sequence[Change] | None, tree_file: Path, address: str
) -> dict[str, Any]:
    """Everything Ansible needs to know of one host, connection included."""
    target = Target.of(fleet, desired.host)
    return {
        **variables(desired, changes),
        "sparkfleet_enrolment": enrolment(fleet, desired.host),
        "sparkfleet_tailnet_key": fleet.tailnet.auth_key or "",
        "sparkfleet_tree_file": str(tree_file),
        "sparkfleet_upgrade": upgrade_rings.variables(fleet, desired.host),
        "ansible_host": address,
        "ansible_port": target.port,
        "ansible_user": target.user,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": shlex.join(ssh_options(target)),
    }


def inventory(hosts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The dynamic-inventory document: one group a role, one a ring of upgrades, and every host's variables."""
    groups: dict[str, Any] = {
        str(role): {"hosts": [n for n, v in hosts.items() if role in v["sparkfleet_roles"]]} for role in Role
    }
    rings = {
        f"ring_{r}": {"hosts": [n for n, v in hosts.items() if v["sparkfleet_upgrade"]["ring"] == r]}
        for r in upgrade_rings.NAMES
    }
    return {**groups, **rings, "all": {"hosts": list(hosts)}, "_meta": {"hostvars": dict(hosts)}}


def write_tree(folder: Path, desired: Desired, changes: Sequence[Change] | None = None) -> Path:
    """Put a host's rendered tree where Ansible finds it; readable by the controller's user alone."""
    file = folder / f"{desired.host}.json"
    secrets.write(file, tree(desired, changes))
    return file
