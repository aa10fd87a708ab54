"""A running, simulated IAM Roles Anywhere with a fleet's authority, and hosts that hold certificates of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.rolesanywhere.server import Account, Endpoint
from sparkfleet.cloud import policies
from tests.lab.rolesanywhere.certificates import Pair, issue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cryptography import x509

REGION = "eu-central-1"
ANCHOR = f"arn:aws:rolesanywhere:{REGION}:123456789012:trust-anchor/7b5b6bb0-0000-4000-8000-000000000001"
PROFILE = f"arn:aws:rolesanywhere:{REGION}:123456789012:profile/7b5b6bb0-0000-4000-8000-000000000002"
ROLE = "arn:aws:iam::123456789012:role/fleet-hosts"
HOSTS = ("spark-01", "spark-02")


@dataclass(frozen=True)
class Anywhere:
    """The service, its address, the fleet's issuing authority, and the folder where all of it lies."""

    endpoint: Endpoint
    url: str
    issuing: Pair
    folder: Path

    def host(self, pair: Pair, name: str = "host") -> Path:
        """A host that holds `pair`: its configuration file, with key and certificate beside it."""
        file = pair.write(self.folder / name) / "roles-anywhere.json"
        file.write_text(json.dumps(self.told))
        return file

    @property
    def told(self) -> dict[str, str]:
        """What a host's configuration says."""
        arns = {"trust_anchor_arn": ANCHOR, "profile_arn": PROFILE, "role_arn": ROLE}
        return {**arns, "region": REGION, "endpoint": self.url, "ca_bundle": str(self.folder / "tls.crt")}


def serve(
    folder: Path,
    grant: Callable[[str, int], dict[str, str]],
    *,
    address: str = "127.0.0.1",
    anchors: Sequence[x509.Certificate] = (),
    **account: Any,
) -> Anywhere:
    """Start it; the trust policy is the one that the fleet's role gets. `anchors`: of authorities that there are."""
    root = issue("authority", ca=True)
    issuing = issue("issuing", root, ca=True)
    trust: dict[str, Any] = json.loads(policies.canonical(policies.roles_anywhere_trust(ANCHOR, HOSTS)))
    anchors = anchors or [issuing.certificate]
    endpoint = Endpoint(Account(REGION, ANCHOR, PROFILE, ROLE, anchors, trust, grant, **account))
    issue("endpoint", address=address).write(folder, "tls")
    return Anywhere(endpoint, endpoint.start(folder / "tls.crt", folder / "tls.key", address), issuing, folder)
