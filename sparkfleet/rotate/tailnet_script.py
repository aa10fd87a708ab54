"""Sent over SSH and run as root: what the host's tailnet node is, or a new node key for it, with its settings kept.

Standard library only. The auth key comes in the request and goes to `tailscale` on its stdin: no file, no argument.
The connection that brought this may run over that tailnet, so nothing here waits for the controller: when the control
server does not take the new login, the host goes back to its old node key by itself.
"""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

STATE = Path("/var/lib/tailscale/tailscaled.state")
SAVED = Path("/var/lib/tailscale/tailscaled.state.sparkfleet-old")
SWITCHES = {
    "CorpDNS": "accept-dns",
    "RouteAll": "accept-routes",
    "RunSSH": "ssh",
    "ShieldsUp": "shields-up",
    "ExitNodeAllowLANAccess": "exit-node-allow-lan-access",
}
WORDS = {"ControlURL": "login-server", "Hostname": "hostname", "OperatorUser": "operator", "ExitNodeIP": "exit-node"}
LISTS = {"AdvertiseTags": "advertise-tags", "AdvertiseRoutes": "advertise-routes"}


def main(request: dict[str, Any]) -> None:
    """Print {"state", "node_key", "addresses"}, or {"error"} when the node has kept its old key."""
    for name in ("SIGHUP", "SIGPIPE"):  # the connection may end before we do
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    answer = node()
    if request["do"] == "reauth":
        try:
            answer = reauthenticated(answer, request["auth_key"], request["tags"], int(request["wait_s"]))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            answer = {"error": str(error)}
    elif request["do"] == "logout":
        # Detached and a moment later: the connection that asked for it may run over this tailnet.
        words = ["systemd-run", f"--on-active={int(request['after_s'])}", "--timer-property=AccuracySec=200ms"]
        done = subprocess.run([*words, "tailscale", "logout"], capture_output=True, check=False)
        answer["leaves"] = answer["state"] == "Running" and done.returncode == 0
    print(json.dumps(answer))


def node() -> dict[str, Any]:
    """The node as its daemon tells it; empty where there is none."""
    found = asked("status", "--json", "--peers=false")
    me = found.get("Self") or {}
    return {
        "state": found.get("BackendState", ""),
        "node_key": me.get("PublicKey", ""),
        "addresses": me.get("TailscaleIPs") or [],
    }


def reauthenticated(before: dict[str, Any], auth_key: str, tags: "list[str]", wait_s: int) -> dict[str, Any]:
    """Log in anew, with `tags`, which a login alone changes; the node as it is then.

    Raises OSError, with the old node key back in use, when that fails.
    """
    shutil.copy2(STATE, SAVED)
    prefs = asked("debug", "prefs")
    up = ["tailscale", "up", "--force-reauth", "--accept-risk=lose-ssh", "--auth-key=file:/dev/stdin"]
    done = subprocess.run(
        [*up, f"--timeout={wait_s}s", *flags({**prefs, "AdvertiseTags": tags})],
        input=auth_key, capture_output=True, text=True, timeout=wait_s + 10, check=False,
    )  # fmt: skip
    end = time.monotonic() + wait_s
    while done.returncode == 0:
        after = node()
        if after["state"] == "Running" and after["node_key"] != before["node_key"]:
            SAVED.unlink()
            return after
        if time.monotonic() > end:
            break
        time.sleep(0.2)
    # A refused login leaves the node's key as it was, and its settings as they were asked for.
    if node() != before or flags(asked("debug", "prefs")) != flags(prefs):
        subprocess.run(["systemctl", "stop", "tailscaled.service"], check=True)
        SAVED.replace(STATE)
        subprocess.run(["systemctl", "start", "tailscaled.service"], check=True)
    SAVED.unlink(missing_ok=True)
    said = (done.stderr or done.stdout).replace(auth_key, "…").strip().splitlines()
    raise OSError(f"tailscale up: {said[-1] if said else 'the control server gave no new node key'}")


def flags(prefs: dict[str, Any]) -> "list[str]":
    """The node's settings as flags: `tailscale up` wants each that is not its default, and refuses otherwise."""
    switches = [f"--{flag}={'true' if prefs.get(name) else 'false'}" for name, flag in SWITCHES.items()]
    words = [f"--{flag}={prefs[name]}" for name, flag in WORDS.items() if prefs.get(name)]
    return [
        *switches,
        *words,
        *(f"--{flag}={','.join(prefs[name])}" for name, flag in LISTS.items() if prefs.get(name)),
    ]


def asked(*words: str) -> dict[str, Any]:
    """What `tailscale` answers as JSON; nothing where it is not installed or its daemon is down."""
    try:
        done = subprocess.run(["tailscale", *words], capture_output=True, text=True, timeout=20, check=False)
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return found if isinstance(found, dict) else {}
