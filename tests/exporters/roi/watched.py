"""The real exporter on two projects → a real Prometheus that scrapes it, with the rules of ours.

GPU utilisation, which other exporters tell, comes from a page with fixed text: `mocked`.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import yaml

from tests.exporters.roi.running import CHECKOUT, Running
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PATIENCE_S = 60.0
RULES = ("recording.yml", "alerts.yml")
MOCKED = {
    "/gb10": b'sparkfleet_gb10_gpu_utilization_ratio{gpu="0"} 0.4\n',
    "/calypso": b'nv_gpu_utilization{gpu_uuid="GPU-0"} 0.7\n',
}
# There once every target was scraped, and the rules were evaluated after it.
LAST = ("project:sparkfleet_roi_open_seconds:estimate", "nv_gpu_utilization", "sparkfleet_gb10_gpu_utilization_ratio")


class Page(BaseHTTPRequestHandler):
    """Answers with the mocked metrics of a machine."""

    def do_GET(self) -> None:
        """One page a machine."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(MOCKED[self.path])

    def log_message(self, *_: Any) -> None:
        """In silence."""


class Watched:
    """Everything that runs; `stop` ends all of it."""

    def __init__(self, folder: Path, texts: Mapping[str, str]) -> None:
        self.folder = folder
        self.page = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self.page.serve_forever, args=(0.02,), daemon=True).start()
        self.exporter = Running(folder)
        self.process: subprocess.Popen[bytes] | None = None
        try:
            for project, text in texts.items():
                self.exporter.put(project, text)
            self.port = self._prometheus()
            for last in LAST:
                self.answer(last)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End Prometheus, the exporter and the page."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.exporter.stop()
        self.page.shutdown()
        self.page.server_close()

    def series(self, expression: str) -> list[dict[str, Any]]:
        """What an instant query answers now: {"metric": {…}, "value": [time, text]} a series."""
        asked = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{asked}", timeout=10) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
        return found

    def answer(self, expression: str) -> list[dict[str, Any]]:
        """The same once it is not empty; AssertionError when patience ends."""
        end = time.monotonic() + PATIENCE_S
        while not (found := self.series(expression)):
            assert time.monotonic() < end, expression
            time.sleep(0.2)
        return found

    def _prometheus(self) -> int:
        for name in RULES:
            rules = yaml.safe_load((CHECKOUT / "exporters/roi" / name).read_text())
            for group in rules["groups"]:
                group["interval"] = "1s"
            (self.folder / name).write_text(yaml.safe_dump(rules))
        config = self.folder / "prometheus.yml"
        config.write_text(json.dumps(self._config()))
        port = _free_port()
        command = [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'data'}",
                   f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
        with (self.folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1):
                    return port
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "prometheus.log").read_text()[-2000:])

    def _config(self) -> dict[str, Any]:
        def job(name: str, instance: str, port: int, path: str = "/metrics") -> dict[str, Any]:
            static = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": instance}}]
            return {"job_name": name, "metrics_path": path, "static_configs": static}

        mocked = self.page.server_port
        jobs = [job("roi", "spark-01", self.exporter.port), job("gb10", "spark-01", mocked, "/gb10"),
                job("calypso", "calypso", mocked, "/calypso")]  # fmt: skip
        return {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.folder / name) for name in RULES],
            "scrape_configs": jobs,
        }


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
