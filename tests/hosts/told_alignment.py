"""What a host says of its alignment with the described Triton server → values, asked for with everything else."""

from __future__ import annotations

import json
import re
from typing import Any

from asking import answer

STATE = re.compile(r'^sparkfleet_alignment_state{state="([a-z-]+)"} 1$', re.MULTILINE)


class ToldOfAlignment:
    """The answers about alignment."""

    @answer("cat /etc/sparkfleet/alignment.json 2>/dev/null || true")
    def alignment(self, said: str) -> dict[str, Any]:
        """Its fact file; empty when there is none, or none that can be read."""
        try:
            found = json.loads(said)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @answer("cat /var/lib/sparkfleet/metrics/alignment.prom 2>/dev/null || true")
    def alignment_metric(self, said: str) -> str:
        """The state that its metric has; empty when it has none, or several."""
        found = STATE.findall(said)
        return found[0] if len(found) == 1 else ""
