"""The mutations of the roles authority and identity."""

from __future__ import annotations

from tests.e2e.mutation import Mutation

AUTHORITY, IDENTITY = "/etc/sparkfleet/authority", "/etc/sparkfleet/identity"
UNIT = "sparkfleet-authority.service"
ANSWERS = "until (echo > /dev/tcp/127.0.0.1/9443) 2>/dev/null; do sleep 0.1; done"
RULE = "tcp dport 9443 ip saddr 192.0.2.99 accept"
HANDLE = "nft -a list chain inet sparkfleet input | sed -n 's/.*192.0.2.99 .*# handle //p'"

MUTATIONS = [
    Mutation(
        "AUTHORITY-01",
        "the authority is stopped",
        f"systemctl stop {UNIT}",
        f"systemctl start {UNIT}; timeout 60 bash -c '{ANSWERS}'",
        "inactive",
        ("BASE-12",),
    ),
    Mutation(
        "AUTHORITY-02",
        "somebody beyond the fleet may ask the authority",
        f"nft insert rule inet sparkfleet input {RULE}",
        f"nft delete rule inet sparkfleet input handle $({HANDLE})",
        "accept 192.0.2.99",
        ("ACCESS-34",),
    ),
    Mutation(
        "AUTHORITY-03",
        "another key was left there",
        f"openssl genpkey -quiet -algorithm ed25519 -out {AUTHORITY}/root.key",
        f"rm {AUTHORITY}/root.key",
        "root.key",
    ),
    Mutation(
        "IDENTITY-01",
        "nobody renews the certificate",
        "systemctl --quiet disable sparkfleet-identity.timer",
        "systemctl --quiet enable sparkfleet-identity.timer",
        "disabled, active",
        ("BASE-12",),
    ),
    Mutation(
        "IDENTITY-02",
        "the certificate is gone",
        f"mv {IDENTITY}/host.crt {IDENTITY}/host.crt.kept",
        f"mv {IDENTITY}/host.crt.kept {IDENTITY}/host.crt",
        "absent",
        ("BASE-09",),  # the timer may look just then
    ),
    Mutation(
        "IDENTITY-03",
        "a key for everybody",
        f"chmod 644 {IDENTITY}/host.key",
        f"chmod 600 {IDENTITY}/host.key",
        "root 644",
    ),
]
