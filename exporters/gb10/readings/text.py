"""The text of a file that holds one number → the number; what is there and is none is noted as a fault. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 2**64  # the kernel counts in 64 bits; more is rubbish


def number(files: Mapping[str, str], name: str, faults: list[str]) -> int | None:
    """The whole number in file `name`. None when the file is silent; None and a fault when it holds something else."""
    text = files.get(name, "").strip()
    if not text:
        return None
    try:
        value = int(text)
    except ValueError:
        value = LIMIT
    if abs(value) < LIMIT:
        return value
    faults.append(f"{name} holds no number: {text[:40]!r}")
    return None
