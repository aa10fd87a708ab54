"""The description of the Triton server that the hosts must be aligned with, typed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sparkfleet.forms import Described, SecretReference, matching

RELEASE = r"[0-9]{2}\.[0-9]{2}"
Release = Annotated[str, matching(RELEASE, 'a release of the Triton container such as "25.11"')]
Variant = Literal["py3", "vllm", "trtllm"]
Endpoint = Annotated[
    str, matching(r"(https?://[^\s/@\"'\\]+:[0-9]{1,5})?", 'a gRPC endpoint such as "http://calypso:8001", or ""')
]
HeaderKey = Annotated[str, matching(r"[a-z0-9._-]+", "lower-case letters, digits and . _ -")]


class Restricted(Described):
    """What opens a server that was started with --grpc-restricted-protocol=metadata:KEY=VALUE."""

    key: HeaderKey
    value: SecretReference


class Calypso(Described):
    """The Triton server that the hosts must be aligned with. Release and variant decide; the server is only asked."""

    url: Endpoint = Field(default="", description="its gRPC endpoint, asked by `spark align` alone; empty: never")
    release: Release | None = Field(default=None, description="of its container; null: `spark align` tells it")
    variant: Variant | None = Field(default=None, description="of its container: the server itself does not tell")
    restricted: Restricted | None = Field(default=None, description="the header without which it does not answer")

    @property
    def described(self) -> bool:
        """Whether there is a server to be aligned with at all."""
        return bool(self.url or self.release)
