"""Where the GB10's alerts fire: each limit names its alert; a test holds the number against the alert's expression."""

from __future__ import annotations

from exporters.dashboards.limits import ORANGE, Limit

GIB = 1024**3

ZONE = Limit(93, "Gb10Hot")
MARGIN = Limit(4, "Gb10Hot", above=False)
SLOWED = Limit(0.05, "Gb10ThermalThrottling", colour=ORANGE)
MEMORY = Limit(8 * GIB, "Gb10MemoryWedgeRisk", above=False)
BLOCKED = Limit(30, "Gb10NvmlStuck")
WORN = Limit(0.9, "Gb10NvmeWorn", colour=ORANGE)
LIMITS = (ZONE, MARGIN, SLOWED, MEMORY, BLOCKED, WORN)
