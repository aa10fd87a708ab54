"""An instance → this machine's way into its tailnet, so that plain ssh, spark and pulumi reach 100.64/10 addresses.

A namespace on the lab's bridge holds a tailscaled of its own; this machine routes the tailnet's addresses to it, and it
sends them on as its own node. So the machine's own tailscaled, DNS and firewall stay out of it. The namespace is that
of the recorded process and of nothing else: it ends with it, and the veth pair with the namespace.

A machine that is itself a node of Tailscale drops what comes from 100.64/10 by another interface: stop its tailscaled
while a lab with a tailnet runs.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import network, record, shell
from lab.errors import LabError
from lab.spark.factory import private
from lab.tailnet.admin import CONTROLLER_TAG, admin
from lab.tailnet.control import CONTROLLER

if TYPE_CHECKING:
    from lab.instance import Instance

LABEL = "tailnet-controller"
READY_WITHIN_S = 20.0
TUN = "tailscale0"
OUTSIDE, INSIDE = "st-", "lab0"  # the ends of the veth pair; the first is followed by the lab's name
# A limit on "unreachable" would make the next connection wait, as a missing route does: see RULES.
SETTINGS = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.icmp_ratelimit=0")
# What this machine sends goes on as the namespace's own node: the peers know no other sender. An IPv4 address that no
# peer has is routed back to the bridge, and refused there: without a route the kernel answers too, but once a second,
# and the connections in between wait for 7 s.
RULES = f"""\
table ip controller {{
  chain out {{
    type nat hook postrouting priority srcnat;
    oifname "{TUN}" masquerade
  }}
  chain through {{
    type filter hook forward priority filter;
    oifname "{INSIDE}" ct state new reject with icmp net-unreachable
  }}
}}
table ip6 controller {{
  chain out {{
    type nat hook postrouting priority srcnat;
    oifname "{TUN}" masquerade
  }}
}}
"""


def up(instance: Instance, tailscaled: Path, tailscale: Path) -> None:
    """Start what does not run, join, and route; returns when this machine is a node of the tailnet."""
    if record.alive(instance, LABEL) is None:
        state = instance.folder / "run" / LABEL
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        words = [
            "unshare", "--net", str(tailscaled), "--no-logs-no-support", f"--tun={TUN}",
            f"--statedir={state}", f"--socket={_socket(instance)}",
        ]  # fmt: skip
        record.start(instance, LABEL, words, log(instance))
        _connect(instance)
    _join(instance, tailscale)
    bridge = ["dev", instance.bridge]
    shell.run("ip", "route", "replace", instance.tailnet, "via", instance.controller, *bridge)
    shell.run("ip", "route", "replace", instance.tailnet6, "via", instance.controller6, *bridge)


def run(instance: Instance, *words: str, stdin: str | None = None) -> str:
    """Run a program in the namespace."""
    return shell.run("nsenter", f"--net=/proc/{record.alive(instance, LABEL)}/ns/net", *words, stdin=stdin)


def log(instance: Instance) -> Path:
    """What its tailscaled said."""
    return instance.folder / "run" / f"{LABEL}.log"


def _socket(instance: Instance) -> Path:
    return record.folder(instance) / "tailscaled.sock"


def _connect(instance: Instance) -> None:
    """Lay a cable between bridge and namespace, and make the namespace a router."""
    pid = _namespace(instance)
    link = OUTSIDE + instance.name
    if link in network.links():  # of a namespace that is just ending
        shell.run("ip", "link", "delete", link, check=False)
    shell.run("ip", "link", "add", link, "type", "veth", "peer", "name", INSIDE, "netns", str(pid))
    shell.run("ip", "link", "set", link, "master", instance.bridge, "up")
    run(instance, "ip", "link", "set", "lo", "up")
    run(instance, "ip", "address", "add", f"{instance.controller}/24", "dev", INSIDE)
    run(instance, "ip", "address", "add", f"{instance.controller6}/64", "dev", INSIDE, "nodad")
    run(instance, "ip", "link", "set", INSIDE, "up")
    run(instance, "ip", "route", "add", instance.tailnet, "dev", INSIDE)
    run(instance, "sysctl", "--quiet", *SETTINGS)
    run(instance, "nft", "-f", "-", stdin=RULES)


def _namespace(instance: Instance) -> int:
    """The process that has it, once it has."""
    until = time.monotonic() + READY_WITHIN_S
    while pid := record.alive(instance, LABEL):
        if Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink():
            return pid
        if time.monotonic() > until:
            break
        time.sleep(0.01)
    raise LabError("the tailscaled of this machine's node does not start", next_step=f"see {log(instance)}")


def _join(instance: Instance, tailscale: Path) -> None:
    """Make the namespace a node, when it is none yet."""
    ask = [str(tailscale), f"--socket={_socket(instance)}"]
    until = time.monotonic() + READY_WITHIN_S
    while not (said := shell.run(*ask, "status", "--json", check=False)):
        if record.alive(instance, LABEL) is None or time.monotonic() > until:
            raise LabError("the tailscaled of this machine's node does not answer", next_step=f"see {log(instance)}")
        time.sleep(0.05)
    if json.loads(said)["BackendState"] == "Running":
        return
    key = instance.secrets / "tailnet-controller-key"
    private(key, admin(instance).make_key(tags=[CONTROLLER_TAG], reusable=False) + "\n")
    shell.run(
        *ask, "up", f"--login-server={instance.login_server}", f"--auth-key=file:{key}", f"--hostname={CONTROLLER}",
        "--accept-dns=false", "--netfilter-mode=off", f"--timeout={READY_WITHIN_S:.0f}s",
    )  # fmt: skip
    key.unlink()
