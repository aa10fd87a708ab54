"""state.json → the operations that bring a host to it, as pyinfra's documentation writes them. Run by pyinfra.

Packages are one list, pyinfra's own idiom; everything else is one operation an item. pyinfra has no `validate` for
files: that step is left out, in its favour.
"""

# mypy: disable-error-code="import-not-found"
# (pyinfra lives in an environment of its own)
import json
import os
from pathlib import Path
from typing import Any

from pyinfra import host
from pyinfra.facts.files import FindFiles
from pyinfra.operations import apt, files, server, systemd
from pyinfra.operations.util import any_changed

STATE_FILE = Path(os.environ["BENCH_STATE"])
STATE = json.loads(STATE_FILE.read_text())
JINJA = {"trim_blocks": True, "lstrip_blocks": True}

apt.packages(packages=STATE["packages"], _sudo=True)
for user, sudo in STATE["users"].items():
    wanted = {"shell": "/bin/bash", "groups": ["sudo"] if sudo else []}
    server.user(user=user, **wanted, _sudo=True)
for path in STATE["directories"]:
    files.directory(path=path, user="root", group="root", mode="755", _sudo=True)

waiting: dict[str, list[Any]] = {}  # what has to happen → the operations that make it necessary
for file in STATE["files"]:
    where = {"src": str(STATE_FILE.parent / file["source"]), "dest": file["path"]}
    rights = {"user": file["owner"], "group": file["group"], "mode": file["mode"]}
    if file["template"]:
        variables = dict(STATE["variables"][host.name])
        if file["user"]:
            variables["authorized_keys"] = STATE["keys"][file["user"]]
        made = files.template(**where, **rights, jinja_env_kwargs=JINJA, _sudo=True, **variables)
    else:
        made = files.put(**where, **rights, _sudo=True)
    for follow_up in file["follow_ups"]:
        waiting.setdefault(follow_up, []).append(made)

for path, target in STATE["links"].items():
    files.link(path=path, target=target, force=True, _sudo=True)
for folder, names in STATE["exact"].items():
    for path in host.get_fact(FindFiles, path=folder, _sudo=True) or []:
        if Path(path).name not in names:
            files.file(path=path, present=False, _sudo=True)

for follow_up in STATE["handlers"]:
    if follow_up not in waiting:
        continue
    condition = any_changed(*waiting[follow_up])
    verb, _, unit = follow_up.partition(" ")
    if follow_up == "load the audit rules":
        server.shell(commands=[STATE["load_audit_rules"]], _sudo=True, _if=condition)
    elif verb == "load":
        server.shell(commands=[STATE["load_kernel_settings"]], _sudo=True, _if=condition)
    elif unit == "systemd":
        systemd.daemon_reload(_sudo=True, _if=condition)
    else:
        systemd.service(
            service=unit,
            running=True if verb == "start" else None,
            reloaded=verb == "reload",
            restarted=verb == "restart",
            _sudo=True,
            _if=condition,
        )

for key, value in STATE["sysctls"].items():
    if key.startswith("net."):  # the others are not a container's own: pyinfra would try to set them and fail
        server.sysctl(key=key, value=value, _sudo=True)
for unit, active in STATE["units"].items():
    systemd.service(service=unit, enabled=True, running=True if active else None, _sudo=True)
