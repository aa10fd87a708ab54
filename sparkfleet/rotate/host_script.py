"""Sent over SSH after adopt_script.py, whose helpers it uses, and run as root: steps that replace or revoke a key.

Standard library only, Python 3.8 or newer. A private host key is made here and never leaves; a store's secret comes in
the request, on stdin. Every file is replaced whole, and every step finds what it did before and does it no second time.
"""

import grp
import hashlib
import json
import os
import pwd
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # on the host they stand above, in the same text
    from sparkfleet.host.adopt_script import (  # noqa: TC004
        KEYS_LATER,
        account,
        acting_as_owner,
        add_lines,
        folder,
        honoured,
        key_of,
        read,
        replace,
        run,
    )

HOST_KEY = Path("/etc/ssh/ssh_host_ed25519_key")
STAGED, KEPT = Path(f"{HOST_KEY}.sparkfleet-new"), Path(f"{HOST_KEY}.sparkfleet-old")
STORE_KEY = Path("/etc/sparkfleet/s3.json")
MARKER = Path("/var/lib/sparkfleet/marker.json")
DATES = Path("/usr/local/lib/sparkfleet/rotation-dates.py")


def login_files(request: dict[str, Any]) -> dict[str, Any]:
    """The authorized_keys files that let the user in now, or will once the role access is applied; with their lines."""
    paths = login_paths(request)
    return {"files": {str(path): read(path).split("\n") for path in paths if path.is_file()}}


def login_add(request: dict[str, Any]) -> dict[str, Any]:
    """Let one more key in; what stands in the files stays."""
    entry, paths = pwd.getpwnam(request["user"]), login_paths(request)
    both = dict.fromkeys([paths[0], paths[-1]])
    return {"changed": [str(path) for path in both if add_lines(path, [request["line"]], entry)]}


def login_drop(request: dict[str, Any]) -> dict[str, Any]:
    """Take one key out of every file that lets the user in."""
    changed = []
    for path in login_paths(request):
        before = read(path).split("\n") if path.is_file() else []
        kept = [line for line in before if key_of(line) != request["key"]]
        if kept != before:
            with acting_as_owner(path.parent):
                replace(path, "\n".join(kept), stat.S_IMODE(path.stat().st_mode))
            changed.append(str(path))
    return {"changed": changed}


def login_paths(request: dict[str, Any]) -> "list[Path]":
    """Those that sshd honours now, root's own last."""
    if account(request["user"]) is None:
        return []
    ours = KEYS_LATER / request["user"]
    return [*(path for path in honoured(request["user"], request["from"]) if path != ours), ours]


def host_keys(_: dict[str, Any]) -> dict[str, Any]:
    """The public halves of the host key in use, of the one that waits and of the one that was replaced."""
    live = public(HOST_KEY)
    return {
        "live": live,
        "staged": public(STAGED),
        "kept": public(KEPT),
        "published": bool(live) and public_text() == live,
        "used": f"hostkey {HOST_KEY}" in run("sshd", "-T", "-C", "user=root,host=localhost,addr=127.0.0.1").split("\n"),
    }


def host_key_stage(_: dict[str, Any]) -> dict[str, Any]:
    """Make the successor; its private half has its name only when it is whole."""
    making = Path(f"{STAGED}.making")
    for leftover in (making, Path(f"{making}.pub")):
        if leftover.exists():
            leftover.unlink()
    if not public(STAGED):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{os.uname().nodename}", "-f", str(making))
        Path(f"{making}.pub").unlink()
        making.replace(STAGED)
    return host_keys({})


def host_key_swap(_: dict[str, Any]) -> dict[str, Any]:
    """Put the successor in the place of the host key, which stays beside it; sshd serves it from now on."""
    if STAGED.exists():
        beside = Path(f"{KEPT}.linking")
        if beside.exists():
            beside.unlink()
        os.link(HOST_KEY, beside)
        beside.replace(KEPT)
        STAGED.replace(HOST_KEY)
    return host_key_serve({})


def host_key_serve(_: dict[str, Any]) -> dict[str, Any]:
    """Let sshd read the host key that is there; a configuration that sshd refuses is not loaded."""
    live = public(HOST_KEY)
    if public_text() != live:
        replace(Path(f"{HOST_KEY}.pub"), f"{live} root@{os.uname().nodename}\n", 0o644)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    run("sshd", "-t")
    # After a reload a sshd that ssh.socket has started fails to bind the socket's port; a restart keeps sessions.
    by_socket = subprocess.run(["systemctl", "is-active", "--quiet", "ssh.socket"], check=False).returncode == 0
    run("systemctl", "try-restart" if by_socket else "try-reload-or-restart", "ssh.service")
    return host_keys({})


def host_key_drop(_: dict[str, Any]) -> dict[str, Any]:
    """Delete the replaced host key."""
    if KEPT.exists():
        KEPT.unlink()
    return host_keys({})


def public(path: Path) -> str:
    """The public half of a private host key, read from the key itself: "type base64"; empty when there is none."""
    return " ".join(run("ssh-keygen", "-y", "-f", str(path)).split()[:2]) if path.exists() else ""


def public_text() -> str:
    """What the file beside the host key says."""
    path = Path(f"{HOST_KEY}.pub")
    return " ".join(read(path).split()[:2]) if path.exists() else ""


def store_key(_: dict[str, Any]) -> dict[str, Any]:
    """Which object-store key the host has; never its secret."""
    try:
        return {"id": str(json.loads(STORE_KEY.read_text())["AccessKeyId"])}
    except (OSError, ValueError, KeyError):
        return {"id": ""}


def store_put(request: dict[str, Any]) -> dict[str, Any]:
    """Put the object-store key into its file, and note it in the marker as an apply would."""
    folder(STORE_KEY.parent, 0o755)
    if not STORE_KEY.exists() or STORE_KEY.read_text() != request["content"]:
        replace(STORE_KEY, request["content"], 0o600)
    if MARKER.exists():
        marker = json.loads(MARKER.read_text())
        shipped = {"setting": request["setting"], "state": state_of(STORE_KEY)}
        if marker.setdefault("secrets", {}).get(str(STORE_KEY)) != shipped:
            marker["secrets"][str(STORE_KEY)] = shipped
            replace(MARKER, json.dumps(marker, sort_keys=True), 0o600)
    return store_key({})


def state_of(path: Path) -> str:
    """As the marker has it: sha256, mode, owner and group (playbooks/collections/…/modules/marker.py)."""
    at = path.lstat()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    owner, group = pwd.getpwuid(at.st_uid).pw_name, grp.getgrgid(at.st_gid).gr_name
    return f"{digest} {stat.S_IMODE(at.st_mode):04o} {owner}:{group}"


def dates(_: dict[str, Any]) -> dict[str, Any]:
    """Let the host note when its keys changed, where it does that at all."""
    if DATES.exists():
        subprocess.run(["/usr/bin/python3", "-IS", str(DATES)], check=False, stdout=subprocess.DEVNULL)
    return {"noted": DATES.exists()}


def revoke(request: dict[str, Any]) -> dict[str, Any]:
    """Take away every way in of the described people and, last, our own; and the object-store key."""
    changed = []
    if STORE_KEY.exists():
        STORE_KEY.unlink()
        changed.append(str(STORE_KEY))
    for user in [*request["people"], request["user"]]:
        keys = request["keys"].get(user, [])
        for path in login_paths({**request, "user": user}):
            if path.parent == KEYS_LATER and path.is_file():
                path.unlink()
                changed.append(str(path))
            elif path.is_file():
                kept = [line for line in read(path).split("\n") if key_of(line) not in keys]
                with acting_as_owner(path.parent):
                    replace(path, "\n".join(kept), stat.S_IMODE(path.stat().st_mode))
                changed.append(str(path))
    return {"changed": changed}


STEPS = {
    "login-files": login_files,
    "login-add": login_add,
    "login-drop": login_drop,
    "host-keys": host_keys,
    "host-key-stage": host_key_stage,
    "host-key-swap": host_key_swap,
    "host-key-serve": host_key_serve,
    "host-key-drop": host_key_drop,
    "store-key": store_key,
    "store-put": store_put,
    "dates": dates,
    "revoke": revoke,
}
