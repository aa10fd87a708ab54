"""What a host says of its certificate, and of the authority that it runs → values; no key ever leaves it."""

from __future__ import annotations

import json
from typing import Any

from asking import answer

FOLDER, AUTHORITY = "/etc/sparkfleet/identity", "/etc/sparkfleet/authority"
UNIT = "sparkfleet-authority.service"
PROGRAM = "/usr/local/lib/sparkfleet/identity.py"
# Days that the issuing certificate has left, whether the root signed it, and how all that lies there lies there.
ISSUING = f"""
cd {AUTHORITY} || exit 0
openssl x509 -in issuing.crt -noout -enddate -dateopt iso_8601 2>&1
openssl verify -CAfile root.crt issuing.crt 2>&1 | tail -1
for key in *.key; do openssl pkey -in "$key" -noout 2>/dev/null && echo "key $key"; done
"""


def certificate(wanted: dict[str, Any]) -> str:
    """What the host's own program says, how the key lies there, and the dates that it tells."""
    if not wanted.get("identity"):
        return "echo {}"
    told = "grep -o '^sparkfleet_certificate.*' /var/lib/sparkfleet/metrics/identity.prom | tr '\\n' ';'"
    return f"""
state=$(/usr/bin/python3 -IS {PROGRAM} state 2>&1 | head -c 300 | tr -d '"\\\\')
key=$(stat -c '%U %a' {FOLDER}/host.key 2>&1 | tr -d '"\\\\')
printf '{{"state": "%s", "key": "%s", "now": %s, "dates": "%s"}}' "$state" "$key" "$(date +%s)" \
"$({told} | tr -d '"')"
"""


class ToldOfIdentity:
    """Whose certificate it is and how long; what the authority has."""

    wanted: dict[str, Any]

    @answer(certificate)
    def certificate(self, said: str) -> dict[str, Any]:
        """`state`: as its program judges; `key`: owner and mode; `now`; `dates`: kind of date → seconds since 1970."""
        found = dict(json.loads(said))
        rows = (row.rsplit(" ", 1) for row in str(found.get("dates", "")).split(";") if row)
        return {**found, "dates": {name: float(value) for name, value in rows}}

    @answer(lambda wanted: ISSUING if "authority" in wanted["roles"] else "true")
    def issuing(self, said: str) -> list[str]:
        """The end of the issuing certificate, what openssl says of its chain, and every private key beside it."""
        return said.splitlines()
