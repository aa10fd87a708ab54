#!/usr/bin/env python3
"""`ollama serve` → an HTTP server at OLLAMA_HOST that tells a version and no models. Simulated.

Installed in a stand-in as /usr/local/bin/ollama, beside the unit that Ollama's own installer makes, not enabled: one
file, standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = "0.0.0-simulated"
ANSWERS = {"/": "Ollama is running", "/api/version": json.dumps({"version": VERSION}), "/api/tags": '{"models": []}'}
PR_SET_NAME = 15


class Handler(BaseHTTPRequestHandler):
    """The few answers."""

    def do_GET(self) -> None:
        """Answer what is known, in Ollama's words."""
        text = ANSWERS.get(self.path)
        self.send_response(404 if text is None else 200)
        self.end_headers()
        self.wfile.write((text or "404 page not found").encode())


def main() -> int:
    """Serve."""
    if sys.argv[1:] != ["serve"]:
        print(f"ollama version is {VERSION}")
        return 0
    host, _, port = os.environ.get("OLLAMA_HOST", "127.0.0.1:11434").rpartition(":")
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"ollama", 0, 0, 0)  # as `ss` shows the real one
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
