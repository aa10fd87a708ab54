"""Desired → the same state for the peers: a conventional playbook (one task an item), and one JSON file for pyinfra.

    state(fleet, hosts)            what both are written from: plain data
    playbook(state)                as a careful person writes a role by hand, with handlers, in ansible.builtin alone
    write(fleet, hosts, folder)    playbook.yml, inventory.json, state.json, templates/, files/, known_hosts

Texts stay templates with variables, as they would be in a role; a file without a template is copied.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from jinja2 import Environment, meta  # noqa: TID251  (templates are read for their names here, not rendered)
from pydantic_core import to_jsonable_python

from bench.peers.follow_ups import FOLLOW_UPS, HANDLERS, LOAD_AUDIT_RULES, LOAD_KERNEL_SETTINGS
from sparkfleet.host import sources
from sparkfleet.host.connection import Target
from sparkfleet.host.desired import FRONT, Desired, desired, template_context
from sparkfleet.host.openssh import ssh_options

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

Task = dict[str, Any]

# Directories that no package brings; a role makes them.
OWN_DIRECTORIES = (
    "/etc/prometheus/rules",
    "/etc/sparkfleet",
    "/etc/ssh/authorized_keys",
    "/etc/systemd/journald.conf.d",
    "/usr/local/lib/sparkfleet",
)
DROP_INS = re.compile(r"/etc/systemd/system/[^/]+\.d/")


@dataclass(frozen=True)
class Peers:
    """Where the peers' inputs lie."""

    playbook: Path
    inventory: Path
    state: Path


def write(fleet: Fleet, hosts: list[str], folder: Path) -> Peers:
    """Write everything that the peers need for these hosts into `folder`."""
    made = state(fleet, hosts)
    read = sources.read(fleet)
    for file in made["files"]:
        source = folder / file["source"]
        source.parent.mkdir(parents=True, exist_ok=True)
        if file["template"]:
            source.write_text(FRONT.sub("", read.templates[file["template"]]))
        else:
            source.write_bytes(desired(fleet, hosts[0], read).files[file["path"]].content)
    peers = Peers(folder / "playbook.yml", folder / "inventory.json", folder / "state.json")
    peers.playbook.write_text(yaml.safe_dump(playbook(made), sort_keys=False, width=120))
    peers.inventory.write_text(json.dumps({"all": {"hosts": inventory(fleet, hosts, made)}}))
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(by_address(fleet, hosts))
    connection = {name: _pyinfra_connection(Target.of(fleet, name), known_hosts) for name in hosts}
    peers.state.write_text(json.dumps({**made, "connection": connection}))
    return peers


def state(fleet: Fleet, hosts: list[str]) -> dict[str, Any]:
    """The whole state of the hosts; they have the same roles, so what differs between them stands in `variables`."""
    read = sources.read(fleet)
    wanted = {name: desired(fleet, name, read) for name in hosts}
    first = wanted[hosts[0]]
    parts = first.parts.values()
    return {
        "packages": sorted({package for part in parts for package in part.packages}),
        "directories": sorted(
            {folder for folder in OWN_DIRECTORIES if any(p.startswith(f"{folder}/") for p in first.files)}
            | {str(Path(path).parent) for path in first.files if DROP_INS.match(path)}
        ),
        "files": [_file(path, first, sources_of(first, read)) for path in first.files],
        "links": {path: target for part in parts for path, target in part.links.items()},
        "exact": {folder: first.settings[f"listing:{folder}"].split() for part in parts for folder in part.exact},
        "sysctls": {key: value for part in parts for key, value in part.sysctls.items()},
        "users": {user: value == "sudo" for part in parts for user, value in part.users.items()},
        "units": {unit: "active" in value for part in parts for unit, value in part.units.items()},
        "variables": {name: _variables(fleet, one) for name, one in wanted.items()},
        "keys": _keys(fleet, read),
        "handlers": list(HANDLERS),
        "load_kernel_settings": LOAD_KERNEL_SETTINGS,
        "load_audit_rules": LOAD_AUDIT_RULES,
    }


def sources_of(wanted: Desired, read: sources.Sources) -> dict[str, str]:
    """Path on the host → the template that it is rendered from."""
    found = {}
    for template in read.templates:
        path = "/" + template.removesuffix(".j2")
        before, per_user, after = path.partition("[user]")
        if per_user:
            found.update({p: template for p in wanted.files if p.startswith(before) and p.endswith(after)})
        elif path in wanted.files:
            found[path] = template
    return found


def _file(path: str, wanted: Desired, templates: dict[str, str]) -> dict[str, Any]:
    file, template = wanted.files[path], templates.get(path, "")
    follow = next((names for prefix, names in FOLLOW_UPS.items() if path.startswith(prefix)), ())
    return {
        "path": path,
        "template": template,
        "source": f"templates/{template}" if template else f"files{path}",
        "mode": f"{file.mode:04o}",
        "owner": file.owner,
        "group": file.group,
        "validate": file.validate,
        "follow_ups": list(follow),
        "user": Path(path).name if "[user]" in template else "",
    }


def _variables(fleet: Fleet, wanted: Desired) -> dict[str, Any]:
    """What the templates of all files name, as plain data."""
    everything = to_jsonable_python(template_context(fleet, fleet.hosts[wanted.host], wanted.host, wanted.parts))
    everything["fleet"]["memory"]["floor_bytes"] = fleet.memory.floor_bytes  # a property: no part of the dump
    environment = Environment(autoescape=True)  # only parsed here
    named: set[str] = set()
    read = sources.read(fleet)
    for template in set(sources_of(wanted, read).values()):
        named |= meta.find_undeclared_variables(environment.parse(FRONT.sub("", read.templates[template])))
    return {name: value for name, value in everything.items() if name in named}


def _keys(fleet: Fleet, read: sources.Sources) -> dict[str, list[str]]:
    people = {user: sorted(person.authorized_keys) for user, person in fleet.access.users.items()}
    return {**people, fleet.controller.user: [read.automation_key]}


def inventory(fleet: Fleet, hosts: list[str], made: dict[str, Any]) -> dict[str, Any]:
    """The hosts with their variables, and the same SSH options that the product uses."""
    targets = {name: Target.of(fleet, name) for name in hosts}
    return {
        name: {
            **made["variables"][name],
            "ansible_host": target.addresses[0],
            "ansible_port": target.port,
            "ansible_user": target.user,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_common_args": " ".join(ssh_options(target)),
        }
        for name, target in targets.items()
    }


def by_address(fleet: Fleet, hosts: list[str]) -> str:
    """The pinned host keys under the hosts' addresses, for those who look there."""
    addresses = {name: fleet.hosts[name].addresses[0] for name in hosts}
    rows = [line.split(maxsplit=1) for line in fleet.controller.known_hosts.read_text().splitlines()]
    return "".join(f"{addresses[name]} {key}\n" for name, key in rows if name in addresses)


def _pyinfra_connection(target: Target, known_hosts: Path) -> dict[str, Any]:
    return {
        "ssh_hostname": target.addresses[0],
        "ssh_port": target.port,
        "ssh_user": target.user,
        "ssh_key": str(target.private_key),
        "ssh_known_hosts_file": str(known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_look_for_keys": False,
        "ssh_allow_agent": False,
    }


def playbook(made: dict[str, Any]) -> list[Task]:
    """One task an item, in the order packages, people, directories, files, units."""
    tasks = [_task(f"package {n}", "apt", {"name": n, "state": "present"}) for n in made["packages"]]
    tasks += [
        _task(f"user {user}", "user", {"name": user, "shell": "/bin/bash", "groups": ["sudo"] if sudo else []})
        for user, sudo in made["users"].items()
    ]
    rights = {"owner": "root", "group": "root", "mode": "0755"}
    tasks += [
        _task(f"directory {path}", "file", {"path": path, "state": "directory", **rights})
        for path in made["directories"]
    ]
    tasks += [_file_task(file, made["keys"]) for file in made["files"]]
    tasks += [
        _task(f"link {path}", "file", {"src": target, "dest": path, "state": "link", "force": True})
        for path, target in made["links"].items()
    ]
    for folder, names in made["exact"].items():
        tasks += _exact(folder, names)
    tasks.append(_task("flush handlers", "meta", "flush_handlers"))
    for key, value in made["sysctls"].items():  # ansible-core has no sysctl module
        task = _task(f"kernel setting {key}", "command", f"sysctl -n {key}")
        # Only the network's are a container's own; of the others the machine has the say, and may not know them.
        wrong = f"current.stdout != '{value}'" if key.startswith("net.") else False
        tasks.append({**task, "register": "current", "changed_when": False, "failed_when": wrong})
    for unit, active in made["units"].items():
        started = {"state": "started"} if active else {}
        tasks.append(_task(f"unit {unit}", "systemd_service", {"name": unit, "enabled": True, **started}))
    handlers = [_handler(name) for name in HANDLERS]
    return [{"hosts": "all", "gather_facts": False, "become": True, "tasks": tasks, "handlers": handlers}]


def _task(name: str, module: str, options: str | dict[str, Any]) -> Task:
    return {"name": name, f"ansible.builtin.{module}": options}


def _file_task(file: dict[str, Any], keys: dict[str, list[str]]) -> Task:
    options = {"src": file["source"], "dest": file["path"]}
    options |= {key: file[key] for key in ("owner", "group", "mode")}
    if file["validate"]:
        options["validate"] = file["validate"]
    if file["template"]:
        options["lstrip_blocks"] = True
    task = _task(f"file {file['path']}", "template" if file["template"] else "copy", options)
    if file["user"]:
        task["vars"] = {"authorized_keys": keys[file["user"]]}
    if file["follow_ups"]:
        task["notify"] = file["follow_ups"]
    return task


def _exact(folder: str, names: list[str]) -> list[Task]:
    """Nothing else may lie in the folder."""
    find = _task(f"what lies in {folder}", "find", {"paths": folder, "file_type": "any", "hidden": True})
    absent = _task(f"nothing else in {folder}", "file", {"path": "{{ item }}", "state": "absent"})
    excess = f"{{{{ found.files | map(attribute='path') | reject('in', {[f'{folder}/{n}' for n in names]}) }}}}"
    return [{**find, "register": "found"}, {**absent, "loop": excess}]


def _handler(name: str) -> Task:
    verb, _, unit = name.partition(" ")
    match verb:
        case "load" if "kernel" in unit:
            return _task(name, "command", LOAD_KERNEL_SETTINGS)
        case "load":
            return _task(name, "shell", LOAD_AUDIT_RULES)
        case "reload" if unit == "systemd":
            return _task(name, "systemd_service", {"daemon_reload": True})
        case _:
            return _task(name, "systemd_service", {"name": unit, "state": f"{verb}ed"})
