"""A saved image on standard input → one JSON document on standard output: findings, size, bill of materials.

    podman save IMAGE | podman run --rm -i --network none tools NAME ID

Runs in the image `tools`, without network and without rights: what it reads may have been made by anybody.
"""

from __future__ import annotations

import datetime as dt
import json
import sys

from workloads.images import layers, materials
from workloads.images.scan import look, scan


def main() -> int:
    """Read, tell; status 3 for what is no image."""
    name, image = sys.argv[1:3]
    try:
        read = layers.read(sys.stdin.buffer, look)
    except layers.NotAnImageError as error:
        print(error, file=sys.stderr)
        return 3
    found = scan(read)
    created = dt.datetime.fromisoformat(str(read.config.get("created", "1970-01-01T00:00:00Z"))[:19] + "+00:00")
    print(
        json.dumps(
            {
                "findings": found.findings, "size_bytes": found.size_bytes, "files": found.files,
                "packages": len(found.packages), "bill": materials.bill(name, image, created, found),
            }
        )
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
