"""A resource of a stack as plain data, for whoever looks at a stack without Pulumi."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Planned:
    """Its type, its logical name, and its inputs as Pulumi spells them (camelCase)."""

    type: str
    name: str
    inputs: Mapping[str, Any]
