"""Readings → metric families, one file a subject. Pure: a collector reads nothing itself."""

from __future__ import annotations

PREFIX = "sparkfleet_gb10"
