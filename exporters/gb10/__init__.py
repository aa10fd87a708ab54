"""A GB10 machine → /metrics.

    NVML → sampler (a child process) ┐
                                     ├→ sources → readings → collectors ─→ registry ┬→ exposition → pages → server
    /proc, /sys ─────────────────────┘              └→ snapshot ┘                   └→ flight → recorder → ring → replay

NVML goes through the snapshot, and whatever else could block through a poll of its own (parts): no scrape waits for it.

What the hardware does not say is absent from the output: never 0, never NaN. One part that fails never silences the
others. The unit of a metric is in its name, and units are base units.
"""

from __future__ import annotations

VERSION = "0.1.0"
