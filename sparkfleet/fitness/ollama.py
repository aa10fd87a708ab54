"""The description of Ollama, typed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sparkfleet.forms import Described, Url, matching

Sha256 = Annotated[str, matching(r"([0-9a-f]{64})?", 'a SHA-256 in hex, 64 digits, or ""')]
KeepAlive = Annotated[str, matching(r"[1-9][0-9]*[smh]", 'a time such as "5m" or "24h"')]


class Ollama(Described):
    """Ollama on loopback, on hosts with the role ollama; people reach it by `ssh -L`."""

    url: Url = Field(default="", description='of the release\'s archive for the hosts; "": the host has it installed')
    sha256: Sha256 = Field(default="", description="of that archive: nothing else is unpacked")
    port: int = Field(default=11434, ge=1024, le=65535, description="on loopback")
    needs_gib: int = Field(default=32, ge=1, le=128, description="what the memory guard frees before it starts")
    keep_alive: KeepAlive = Field(default="5m", description="so long a model stays in memory after its last request")
    models_at_once: int = Field(default=1, ge=1, le=8, description="models in memory at the same time")
