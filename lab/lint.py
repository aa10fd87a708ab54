"""Playbooks → what ansible-lint says of them, unless these very files were found good before.

    python -m lab.lint

It takes most of `make lint`'s time, and playbooks change seldom. What was found good is remembered in the cache, by the
content of all that is read and of the lock that names ansible-lint; what was not is looked at each time.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from lab import cache
from lab.instance import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = (".ansible-lint.yml", ".yamllint.yml", "ansible.cfg", "requirements/dev.txt")


def read(root: Path) -> list[Path]:
    """Every file on which the verdict depends."""
    below = [file for file in (root / "playbooks").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return [*sorted(below), *(root / name for name in SETTINGS)]


def name(root: Path) -> str:
    """Of the verdict in the cache."""
    parts = [part for file in read(root) for part in (str(file.relative_to(root)), file.read_bytes())]
    return f"ansible-lint-{cache.digest(*parts)}"


def main() -> int:
    """Its exit status; what it says goes to the terminal."""

    def look(_: Path) -> None:
        subprocess.run(["ansible-lint", "-q"], cwd=CHECKOUT, check=True)

    try:
        cache.once(name(CHECKOUT), look)
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
