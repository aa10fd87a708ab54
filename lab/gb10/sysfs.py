"""A scenario → a fake /sys, by hand.

python -m lab.gb10.sysfs SCENARIO TARGET     SCENARIO is a name (idle, stress, …) or a file
"""

from __future__ import annotations

import sys
from pathlib import Path

from lab.gb10 import scenario
from lab.gb10.tree import write_tree


def main(arguments: list[str]) -> int:
    """Write the tree, or say how to be called."""
    if len(arguments) != 2:
        sys.stderr.write(__doc__ or "")
        return 2
    source, target = arguments
    write_tree(Path(source).read_text() if Path(source).is_file() else scenario(source), Path(target))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
