"""What a host says of its certificate, and of the authority that it runs → values; no key ever leaves it."""

from __future__ import annotations

from typing import Any

from asking import answer

FOLDER, AUTHORITY = "/etc/sparkfleet/identity", "/etc/sparkfleet/authority"
UNIT = "sparkfleet-authority.service"
PROGRAM = "/usr/local/lib/sparkfleet/identity.py"
# The end of the issuing certificate, whether the root signed it, and every private key that lies there.
ISSUING = f"""cd {AUTHORITY} || exit 0;
openssl x509 -in issuing.crt -noout -enddate -dateopt iso_8601 2>&1;
openssl verify -CAfile root.crt issuing.crt 2>&1 | tail -1;
for file in *; do openssl pkey -in "$file" -noout 2>/dev/null && echo "key $file"; done; true
"""
# What the host's own program says, how the key lies there, and the dates that it tells.
CERTIFICATE = f"""echo "state $(/usr/bin/python3 -IS {PROGRAM} state 2>&1 | head -1)";
echo "key $(stat -c '%U %a' {FOLDER}/host.key 2>&1)"; echo "now $(date +%s)";
grep ^sparkfleet_certificate /var/lib/sparkfleet/metrics/identity.prom || true
"""


class ToldOfIdentity:
    """Whose certificate it is and how long; what the authority has."""

    wanted: dict[str, Any]

    @answer(lambda wanted: CERTIFICATE if wanted.get("identity") else "true")
    def certificate(self, said: str) -> dict[str, Any]:
        """`state`: as its program judges; `key`: owner and mode; `now`; `dates`: kind of date → seconds since 1970."""
        found = dict(line.split(" ", 1) for line in said.splitlines() if " " in line)
        dates = {name: float(value) for name, value in found.items() if name.startswith("sparkfleet_")}
        return {
            "state": found.get("state", ""),
            "key": found.get("key", ""),
            "now": float(found["now"]),
            "dates": dates,
        }

    @answer(lambda wanted: ISSUING if "authority" in wanted["roles"] else "true")
    def issuing(self, said: str) -> list[str]:
        """The end of the issuing certificate, what openssl says of its chain, and every private key beside it."""
        return said.splitlines()
