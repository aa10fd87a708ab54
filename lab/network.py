"""An instance → its bridge, its masquerade rule and, while any lab exists, IPv4 forwarding.

The stand-ins install packages as real hosts do, so they need a way out; nothing on this machine's other networks can
reach them but this machine. All of it goes away with `down`.
"""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache, record, shell

if TYPE_CHECKING:
    from lab.instance import Instance

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BEFORE = record.RUN / "ip_forward"  # what it was before the first lab
LOCK = record.RUN / "network.lock"
# systemd-resolved's stub listens on this machine's loopback, which no stand-in reaches: its upstream list comes first.
RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))


def ruleset(instance: Instance) -> str:
    """The whole table, in nft's language; loading it twice gives the same table."""
    return (
        f"table ip {instance.table}\ndelete table ip {instance.table}\n"
        f"table ip {instance.table} {{\n"
        "  chain out {\n"
        "    type nat hook postrouting priority srcnat;\n"
        f'    ip saddr {instance.network} oifname != "{instance.bridge}" masquerade\n'
        "  }\n}\n"
    )


def up(instance: Instance) -> None:
    """Make what is missing."""
    with cache.locked(LOCK):
        if instance.bridge not in links():
            shell.run("ip", "link", "add", instance.bridge, "type", "bridge")
        shell.run("ip", "address", "replace", f"{instance.gateway}/24", "dev", instance.bridge)
        # nodad: nobody else is on the bridge, and the stand-ins may need it at once.
        shell.run("ip", "address", "replace", f"{instance.gateway6}/64", "dev", instance.bridge, "nodad")
        shell.run("ip", "link", "set", instance.bridge, "up")
        shell.run("nft", "-f", "-", stdin=ruleset(instance))
        if not BEFORE.exists():
            BEFORE.write_text(FORWARDING.read_text())
        FORWARDING.write_text("1\n")


def down(instance: Instance, *, last: bool) -> None:
    """Remove bridge, what still hangs on it, and table; with `last` put forwarding back as it was."""
    with cache.locked(LOCK):
        present = links()
        for link in [name for name, master in present.items() if master == instance.bridge]:
            shell.run("ip", "link", "delete", link, check=False)  # the other end may go first and take it along
        if instance.bridge in present:
            shell.run("ip", "link", "delete", instance.bridge)
        if instance.table in tables():
            shell.run("nft", "delete", "table", "ip", instance.table)
        if last and BEFORE.exists():
            FORWARDING.write_text(BEFORE.read_text())
            BEFORE.unlink()


def links() -> dict[str, str]:
    """Every network interface of this machine → the bridge it hangs on, or nothing."""
    return {link["ifname"]: link.get("master", "") for link in json.loads(shell.run("ip", "-json", "link", "show"))}


def tables() -> list[str]:
    """The names of the nftables tables of family ip."""
    listed = json.loads(shell.run("nft", "--json", "list", "tables"))["nftables"]
    return [entry["table"]["name"] for entry in listed if entry.get("table", {}).get("family") == "ip"]


def nameservers() -> list[str]:
    """The resolvers of this machine that a stand-in can reach too."""
    for file in RESOLVERS:
        found = reachable(file.read_text()) if file.exists() else []
        if found:
            return found
    return []


def reachable(resolv_conf: str) -> list[str]:
    """The nameservers of a resolv.conf that are not on loopback."""
    words = [line.split() for line in resolv_conf.splitlines()]
    named = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    return [address for address in named if not ipaddress.ip_address(address.partition("%")[0]).is_loopback]
