"""What a host says of its ConnectX-7 ports and of netplan → values."""

from __future__ import annotations

import json
import re
from typing import Any

from asking import answer

OURS = "/etc/netplan/90-sparkfleet-connectx.yaml"
PROGRAM = "/usr/local/lib/sparkfleet/connectx.py"
DRIVER = "mlx5_core"  # of every ConnectX since the fourth
HEADERS = 28  # bytes of IPv4 and ICMP around what ping sends; IPv6 and ICMPv6 have 48
HEADERS6 = 48


def pings(wanted: dict[str, Any]) -> str:
    """A small packet to each described peer from the port in whose network it is, and after an answer a full one."""
    told = wanted["connectx"]
    size = {4: told["mtu"] - HEADERS, 6: told["mtu"] - HEADERS6}
    words = [
        f"{{ a='-q -n -c 2 -i 0.2 -W 1 -I {port} {peer}'; s=silent; ping $a >/dev/null 2>&1 && s=no && "
        f"ping -M do -s {size[6 if ':' in peer else 4]} $a >/dev/null 2>&1 && s=yes; echo {port} {peer} $s; }} &"
        for port, peers in told["peers"].items()
        for peer in peers
    ]
    return " ".join([*words, "wait"])


class ToldOfConnectX:
    """Interfaces, netplan's files, the cages."""

    wanted: dict[str, Any]

    @answer("ip -j address show")
    def interfaces(self, said: str) -> dict[str, dict[str, Any]]:
        """Every network interface by name: mtu, operstate, addr_info."""
        return {row["ifname"]: row for row in json.loads(said)}

    @answer(f"{{ test -e {OURS} || exit 0; }}; python3 -I {PROGRAM} check {OURS} 2>&1 || true")
    def netplan_complaint(self, said: str) -> str:
        """What our own program says against our netplan file and those beside it; empty when nothing."""
        return said.strip()

    @answer("stat -c '%a %U:%G %n' /etc/netplan/*.yaml 2>/dev/null || true")
    def netplan_files(self, said: str) -> dict[str, str]:
        """Netplan's files: path → mode and owner."""
        rows = (line.split(maxsplit=2) for line in said.splitlines())
        return {path: f"{mode} {owner}" for mode, owner, path in rows}

    @answer(
        lambda wanted: (
            f"cd {wanted['sysfs']}/class/net && for i in *; do test -e $i/device/uevent || continue; "
            f"grep -q DRIVER={DRIVER} $i/device/uevent || continue; "
            "echo $i $(cat $i/operstate) $(grep PCI_SLOT_NAME $i/device/uevent); done || true"
        )
    )
    def cages(self, said: str) -> dict[str, dict[str, str]]:
        """PCI function of a ConnectX → its twins, name → "up" or another state (twins differ in the PCI domain)."""
        found: dict[str, dict[str, str]] = {}
        for line in said.splitlines():
            if row := re.fullmatch(r"(\S+) (\S+) PCI_SLOT_NAME=[0-9a-f]+:(\S+)", line):
                found.setdefault(row[3], {})[row[1]] = row[2]
        return found

    @answer(pings)
    def jumbo(self, said: str) -> dict[tuple[str, str], str]:
        """(Port, peer) → "yes": a full packet came back undivided, "no": a small one alone, "silent": none."""
        rows = (line.split() for line in said.splitlines())
        return {(port, peer): word for port, peer, word in rows}
