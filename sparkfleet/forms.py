"""The forms of single values in a fleet description: what a word, an address, a size must look like.

Pure. Each must match the whole value, and tells what was expected in words, never as a pattern.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from sparkfleet import regions

# Each must match the whole value: `$` would let a line break through, into files that have one setting a line.
HOST_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
PUBLIC_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?")
SECRET_REFERENCE = re.compile(r"(file|env):.+")
DNS_NAME = re.compile(r"(?![0-9.]+$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
TIMEZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
SYSCTL_KEY = re.compile(r"[a-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
NOT_A_REFERENCE = "not_a_reference"
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}


def matching(pattern: str | re.Pattern[str], expected: str) -> AfterValidator:
    """A validator whose message names what was expected, not the pattern."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            message = f"expected {expected}"
            raise ValueError(message)
        return value

    return AfterValidator(check)


def _address(value: str) -> str:
    """An IP address or a DNS name; what SSH can be given."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        if not DNS_NAME.fullmatch(value):
            message = "expected an IP address or a DNS name"
            raise ValueError(message) from None
    return value


def _reference(value: Any) -> Any:
    """Refuse, with an error of a kind of its own, what may be the secret itself: `config` does not show it."""
    if not isinstance(value, str) or not SECRET_REFERENCE.fullmatch(value):
        raise PydanticCustomError(NOT_A_REFERENCE, 'expected "file:PATH" or "env:NAME", never the secret itself')
    return value


def _host_path(value: Path) -> Path:
    """A path on a host as it can stand in a unit's command line: absolute, one word, nothing that systemd expands."""
    if not re.fullmatch(r"(/[A-Za-z0-9._+-]+)+", str(value)):
        message = "expected an absolute path of letters, digits and . _ + -"
        raise ValueError(message)
    return value


def day(value: Any) -> Any:
    """Pulumi's engine hands a YAML date over as Go prints times: `2027-01-31 00:00:00 +0000 UTC`."""
    return value.removesuffix(" 00:00:00 +0000 UTC") if isinstance(value, str) else value


def seconds(duration: str) -> float:
    """A Duration ("15s", "1h") in seconds."""
    unit = duration.lstrip("0123456789")
    return int(duration.removesuffix(unit)) * SECONDS[unit]


Address = Annotated[str, AfterValidator(_address)]
Duration = Annotated[
    str, matching(re.compile(r"[1-9][0-9]*(ms|s|m|h|d|w|y)"), 'a Prometheus duration such as "15s" or "30d"')
]
HostName = Annotated[str, matching(HOST_NAME, "lower-case letters, digits and hyphens, at most 32")]
UserName = Annotated[str, matching(USER_NAME, "a POSIX user name")]
PublicKey = Annotated[str, matching(PUBLIC_KEY, 'a public key line such as "ssh-ed25519 AAAA… name"')]
SecretReference = Annotated[str, BeforeValidator(_reference)]
ByteSize = Annotated[str, matching(re.compile(r"[1-9][0-9]*[KMGT]"), 'a systemd size such as "500M"')]
PackageName = Annotated[str, matching(PACKAGE_NAME, "the name of a Debian package")]
Timezone = Annotated[str, matching(TIMEZONE, 'a time zone such as "Europe/Berlin"')]
SysctlKey = Annotated[str, matching(SYSCTL_KEY, 'a kernel setting such as "net.core.somaxconn"')]
Url = Annotated[str, matching(r"(https?://[^\s\"'\\]+)?", 'an address such as "https://example.org/x", or ""')]
AwsRegion = Annotated[str, AfterValidator(regions.known)]
HostPath = Annotated[Path, AfterValidator(_host_path)]
# As the probe reads it back: words with one space between them.
SysctlValue = Annotated[str, matching(re.compile(r"\S+( \S+)*"), "words with single spaces between them")]


class Described(BaseModel):
    """A part of the description: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
