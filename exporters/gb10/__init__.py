"""A GB10 machine → /metrics.

    NVML → sampler (a child process) ┐
                                     ├→ sources → readings → collectors ─→ registry → HTTP (__main__)
    /proc, /sys ─────────────────────┘              └→ snapshot ┘ (NVML only: the scrape never waits for the driver)

What the hardware does not say is absent from the output: never 0, never NaN. One part that fails never silences the
others. The unit of a metric is in its name, and units are base units.
"""

from __future__ import annotations

VERSION = "0.1.0"
