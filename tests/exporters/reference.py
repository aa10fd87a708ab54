"""docs/metrics.md by its sections, one an exporter: each exporter's tests hold, and write, their own."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs/metrics.md"


def section(title: str) -> str:
    """The section with this title, to its last line; empty when there is none."""
    return next((text for text in _sections() if text.startswith(f"{title}\n")), "")


def write(title: str, text: str) -> None:
    """Put the section in its place, a new one at the end."""
    others = [one for one in _sections() if not one.startswith(f"{title}\n")]
    place = next((i for i, one in enumerate(_sections()) if one.startswith(f"{title}\n")), len(others))
    PAGE.write_text("\n".join([*others[:place], text, *others[place:]]))


def _sections() -> list[str]:
    return [text.rstrip("\n") + "\n" for text in re.split(r"(?m)^(?=# )", PAGE.read_text()) if text.strip()]
