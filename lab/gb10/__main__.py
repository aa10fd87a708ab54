"""A scenario → a folder with all its files, by hand.

python -m lab.gb10 SCENARIO FOLDER     SCENARIO is a name (idle, stress, …), a scenario file or a capture
"""

from __future__ import annotations

import sys
from pathlib import Path

from lab.gb10 import put, scenario


def main(arguments: list[str]) -> int:
    """Write the folder, or say how to be called."""
    if len(arguments) != 2:
        sys.stderr.write(__doc__ or "")
        return 2
    source, target = arguments
    put(Path(source).read_text() if Path(source).is_file() else scenario(source), Path(target))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
