"""The description of ollama, typed."""

from __future__ import annotations

from sparkfleet.forms import Described


class Ollama(Described):
    """Ollama on loopback, on hosts with the role ollama."""
