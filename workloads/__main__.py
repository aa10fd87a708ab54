"""Words on the command line of a host → `spark-node`'s verbs; what the zipapp of this package starts."""

from __future__ import annotations

import sys


def main() -> int | None:
    """Run a verb; its exit code."""
    from workloads.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
