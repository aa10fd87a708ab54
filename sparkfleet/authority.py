"""The part of the description that is about the fleet's own certificate authority, typed.

Pure data, as in `model`. What concerns two fields at once is checked by `cross_checks`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from sparkfleet.fitness.ollama import Sha256
from sparkfleet.forms import Described, Duration, Url, seconds

ISSUING, CONFIGURATION = "authority/issuing", "authority/configuration"
"""By these names hosts know the version of what the issuing key brings, and of what step-ca is told."""

SHORTEST_S, LONGEST_S = 60, 90 * 86400
LOOKS_A_LIFE = 120  # a certificate of 30 days is looked at every 6 hours
SELDOM_S, OFTEN_S = 6 * 3600, 5


def _lifetime(value: str) -> str:
    if not SHORTEST_S <= seconds(value) <= LONGEST_S:
        message = "expected between 1m and 90d"
        raise ValueError(message)
    return value


Generation = Annotated[int, Field(ge=1)]


class Authority(Described):
    """step-ca on the one host with the role authority; it signs the certificates of hosts with the role identity."""

    url: Url = Field(default="", description='of step-ca\'s archive for the hosts; "": the host has it installed')
    sha256: Sha256 = Field(default="", description="of that archive: nothing else is unpacked")
    port: int = Field(default=9443, ge=1024, le=65535, description="open to the fleet's hosts")
    lifetime: Annotated[Duration, AfterValidator(_lifetime)] = Field(
        default="30d", description="of a host's certificate; renewed at two thirds of it"
    )
    generation: Generation = Field(default=1, description="raise it: another issuing key, and a new certificate a host")
    stolen: list[Generation] = Field(
        default_factory=list, description="whose issuing key was stolen: an account takes its certificates no more"
    )

    @property
    def lifetime_s(self) -> int:
        """How long a host's certificate is valid, in seconds."""
        return int(seconds(self.lifetime))

    @property
    def look_s(self) -> int:
        """How often a host looks whether its certificate is to be renewed, in seconds."""
        return min(SELDOM_S, max(OFTEN_S, self.lifetime_s // LOOKS_A_LIFE))
