"""A small HTTP server that keeps what Grafana's API is given and gives it back with fields of its own. `mocked`."""

from __future__ import annotations

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "glsa_a-token-that-no-text-may-hold"
# Where a thing that is posted can be asked for: collection → the folder of single ones and the key that names it.
SINGLE = {
    "/api/folders": ("/api/folders", "uid"),
    "/api/datasources": ("/api/datasources/uid", "uid"),
    "/api/v1/provisioning/contact-points": ("/api/v1/provisioning/contact-points", "uid"),
    "/api/v1/provisioning/mute-timings": ("/api/v1/provisioning/mute-timings", "name"),
}


class Stub:
    """`kept` is what it has, `written` which requests changed it, `refuse` the status of each answer, 0 for none."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.written: list[str] = []
        self.refuse = 0
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, document = stub.answer(self.command, urllib.parse.unquote(self.path), self.headers, body)
                self.send_response(status)
                self.send_header("Location", "http://192.0.2.1/")
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815  (the names are the base class's)

            def log_message(self, *_: Any) -> None:
                """In silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Status and document."""
        if headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"message": f"Invalid API key {headers['Authorization']}"}
        if self.refuse:
            return self.refuse, {"message": f"no, not with {TOKEN}"}
        if method == "GET":
            return self._read(path)
        self.written.append(f"{method} {path}")
        document: dict[str, Any] = json.loads(body) if body else {}
        if method == "DELETE":
            self._forget(path)
        elif path == "/api/dashboards/db":
            kept = {
                "dashboard": {**document["dashboard"], "id": 7, "version": 1},
                "meta": {"folderUid": document["folderUid"]},
            }
            self.kept[f"/api/dashboards/uid/{document['dashboard']['uid']}"] = kept
        elif method == "POST":
            folder, key = SINGLE[path]
            self.kept[f"{folder}/{document[key]}"] = {**document, "provenance": "api"}
        else:
            self.kept[path] = {**self.kept.get(path, {}), **document}
        return 202, {}

    def rules(self) -> list[dict[str, Any]]:
        """The rules of all groups."""
        return [rule for path, group in self.kept.items() if "/rule-groups/" in path for rule in group["rules"]]

    def _read(self, path: str) -> tuple[int, Any]:
        if path == "/api/v1/provisioning/alert-rules":
            return 200, self.rules()
        if path == "/api/v1/provisioning/contact-points":
            return 200, [kept for name, kept in self.kept.items() if name.startswith(f"{path}/")]
        return (200, self.kept[path]) if path in self.kept else (404, {"message": "not found"})

    def _forget(self, path: str) -> None:
        self.kept.pop(path, None)
        for group in (kept for name, kept in self.kept.items() if "/rule-groups/" in name):
            group["rules"] = [rule for rule in group["rules"] if rule["uid"] != path.rpartition("/")[2]]
