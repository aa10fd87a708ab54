"""The name of an image's work → whether it is well: exit 0 or 1. What the images' HEALTHCHECK runs, inside.

    python3 -m workloads.images.health label | serve | store | job

A server is well when it answers. A job is well while its project can be read and its workspace be written: it says
itself, by its end and its report, how its work goes.
"""

from __future__ import annotations

import http.client
import os
import sys
import tempfile

from workloads.images import entry

PATHS = {"label": "/health", "serve": "/v2/health/ready", "store": ""}
TIMEOUT_S = 8.0


def main() -> int:
    """Look, tell."""
    name = sys.argv[1]
    try:
        wrong = job(os.environ.get("PROJECT", "/project")) if name == "job" else server(name)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is not well)
        wrong = str(error)
    if wrong:
        print(f"{name}: {wrong}", file=sys.stderr)
    return bool(wrong)


def server(name: str) -> str:
    """What is wrong with it, or nothing; a server without a page for this is well when it answers at all."""
    address = entry.listen(os.environ)
    connection = http.client.HTTPConnection(address, entry.port(name, os.environ), timeout=TIMEOUT_S)
    try:
        connection.request("GET", PATHS[name] or "/")
        status = connection.getresponse().status
    except OSError as error:
        return str(error)
    finally:
        connection.close()
    return "" if status == http.HTTPStatus.OK or not PATHS[name] else f"it answers {status}"


def job(project: str) -> str:
    """The same of a stage's surroundings."""
    from pathlib import Path

    from workloads.errors import NodeError
    from workloads.label import flow

    try:
        at = flow.place(Path(project), None)
        at.work.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=at.work.folder):
            return ""
    except (NodeError, OSError) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
