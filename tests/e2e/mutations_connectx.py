"""The mutations of the role connectx."""

from __future__ import annotations

from tests.e2e.mutation import Mutation, file

PORT, NETPLAN = "enp1s0f0np0", "/etc/netplan/90-sparkfleet-connectx.yaml"
STRAY = "/etc/netplan/99-stray.yaml"
TWIN = "/var/lib/gb10/sys/class/net/enP2p1s0f0np0/operstate"

MUTATIONS = [
    Mutation(
        "CONNECTX-01",
        "a second address",
        f"ip address add 198.51.100.9/24 dev {PORT}",
        f"ip address delete 198.51.100.9/24 dev {PORT}",
        "198.51.100.9/24",
    ),
    Mutation(
        "CONNECTX-02",
        "another file describes the port",
        f"printf 'network: {{ethernets: {{{PORT}: {{dhcp4: true}}}}}}\\n' > {STRAY}; chmod 0600 {STRAY}",
        f"rm {STRAY}",
        "99-stray.yaml describes",
    ),
    Mutation("CONNECTX-03", "a file for everybody", f"chmod 0644 {NETPLAN}", f"chmod 0600 {NETPLAN}", "644 root:root"),
    file("CONNECTX-04", "one twin without a link", TWIN, "echo down > $f", "enP2p1s0f0np0 is down"),
    Mutation(
        "CONNECTX-05",
        "small packets only",
        f"ip link set {PORT} mtu 1500",
        f"ip link set {PORT} mtu 9000",
        "no answer to 9000 bytes",
        ("CONNECTX-01",),
    ),
]
