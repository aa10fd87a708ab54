"""Exporters on their ports, our rules → a real Prometheus that scrapes them each second, and what it answers.

What no exporter of ours says comes from a page with fixed text: `mocked`.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import yaml

from tests.exporters.running import CHECKOUT
from tests.programs import free_port, program
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

RULES = ("recording.yml", "alerts.yml")
PATIENCE_S = 60.0
"""How long after the start an answer may still be empty: scrapes a second, and rates over five of them."""


@contextmanager
def page(texts: Mapping[str, bytes]) -> Iterator[int]:
    """A page that answers with fixed metrics (path → text), while it lasts; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(texts[self.path])

        def log_message(self, *_: Any) -> None:
            """In silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def job(name: str, targets: Mapping[str, int], path: str = "/metrics") -> dict[str, Any]:
    """A scrape job: instance → port."""
    static = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": i}} for i, port in targets.items()]
    return {"job_name": name, "metrics_path": path, "static_configs": static}


@contextmanager
def prometheus(folder: Path, exporter: str, jobs: Sequence[dict[str, Any]]) -> Iterator[Prometheus]:
    """One with the rules of an exporter of ours, ready, while it lasts."""
    (folder / "rules").mkdir()
    for name in RULES:
        rules = yaml.safe_load((CHECKOUT / "exporters" / exporter / name).read_text())
        for group in rules["groups"]:
            group["interval"] = "1s"
        (folder / "rules" / name).write_text(yaml.safe_dump(rules))
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(folder / "rules/*.yml")],
        "scrape_configs": list(jobs),
    }
    with started(folder, config) as found:
        yield found


@contextmanager
def started(folder: Path, config: dict[str, Any]) -> Iterator[Prometheus]:
    """One with this configuration, ready, while it lasts."""
    (folder / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()
    command = [program("prometheus"), f"--config.file={folder / 'prometheus.yml'}",
               f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log)
    try:
        found = Prometheus(port)
        until(found.ready, f"Prometheus' first answer, log in {folder}", PATIENCE_S, every_s=0.1)
        yield found
    finally:
        process.kill()
        process.wait()


class Prometheus:
    """A server on a port of loopback, asked over its API."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.started = time.monotonic()

    def ready(self) -> bool:
        """Whether it answers questions yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=1):
                return True
        except OSError:
            return False

    def series(self, expression: str, at_s: float | None = None) -> list[dict[str, Any]]:
        """What an instant query answers, now or at a time: {"metric": {…}, "value": [time, text]} a series."""
        when = {} if at_s is None else {"time": str(at_s)}
        found: list[dict[str, Any]] = self._get("query", query=expression, **when)["data"]["result"]
        return found

    def answer(self, expression: str) -> list[dict[str, Any]]:
        """The same once it is not empty; the last, empty one when patience ends."""
        while not (found := self.series(expression)) and time.monotonic() < self.started + PATIENCE_S:
            time.sleep(0.3)
        return found

    def values(self, label: str, metric: str = "") -> list[str]:
        """The values of a label, of one metric's series or of all."""
        found: list[str] = self._get(f"label/{label}/values", **({"match[]": metric} if metric else {}))["data"]
        return found

    def _get(self, path: str, **query: str) -> Any:
        asked = f"{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{asked}", timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{query}: {error.read().decode()}") from None
