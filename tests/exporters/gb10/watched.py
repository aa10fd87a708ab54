"""Simulated Sparks, each in a scenario of its own → a real Prometheus that scrapes the real exporter on them.

What no exporter of ours says (blackbox probes, Alertmanager's own metrics) comes from a page with fixed text: `mocked`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lab.gb10.player import Player
from sparkfleet.host import alignment_metrics, rotation_dates
from tests.exporters.gb10.conftest import Machine
from tests.programs import program
from workloads.datasets import report

if TYPE_CHECKING:
    from collections.abc import Sequence

CAP_MHZ = 2200
CHECKOUT = Path(__file__).resolve().parents[3]
INTO_S = 100.0
"""How far into its scenario each machine is when it is met: kernel records, and a driver that blocks, are there."""

PRIVILEGED = CHECKOUT / "exporters/gb10/privileged.py"
RULES = ("recording.yml", "alerts.yml")
PATIENCE_S = 30.0
"""How long after the start an answer may still be empty: scrapes a second, and rates over five of them."""

# The exporter as it is, but for a state that it gives after a minute: here after three seconds.
SOONER = """\
import sys
from exporters.gb10 import states
states.WINDOW_S = 3.0
from exporters.gb10.__main__ import main
sys.exit(main(sys.argv[1:]))
"""

MOCKED = b"""\
probe_success 1
probe_duration_seconds 0.01
probe_icmp_duration_seconds{phase="rtt"} 0.001
alertmanager_notifications_total{integration="webhook"} 1
alertmanager_notifications_failed_total{integration="webhook"} 0
alertmanager_config_last_reload_successful 1
"""


class Page(BaseHTTPRequestHandler):
    """Answers every request with the mocked metrics."""

    def do_GET(self) -> None:
        """One page for all."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(MOCKED)

    def log_message(self, *_: Any) -> None:
        """In silence."""


class Watched:
    """Everything that runs; `stop` ends all of it."""

    def __init__(self, folder: Path, library: Path, scenarios: Sequence[str]) -> None:
        self.folder = folder
        self.started = time.monotonic()
        self.machines: dict[str, Machine] = {}
        self.page = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=self.page.serve_forever, args=(0.02,), daemon=True).start()
        self.process: subprocess.Popen[bytes] | None = None
        try:
            for name in scenarios:
                self._spark(name, library)
            self.port = self._prometheus()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End Prometheus, the exporters and the page."""
        if self.process:
            self.process.kill()
            self.process.wait()
        for machine in self.machines.values():
            machine.stop()
        self.page.shutdown()
        self.page.server_close()

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

    def _spark(self, name: str, library: Path) -> None:
        """A machine in the scenario: what root tells, then the exporter that hands it on."""
        place = self.folder / name
        left = place / "textfiles"
        flags = [f"--path.privileged={place / 'privileged.json'}", f"--gpu.clock-cap={CAP_MHZ}",
                 f"--collector.textfile.directory={left}"]  # fmt: skip
        machine = Machine(place, library, program=[sys.executable, "-c", SOONER, *flags])
        self.machines[name] = machine
        machine.load(name)
        (place / "state").mkdir()
        left.mkdir()
        for file, text in others().items():
            (left / file).write_text(text)
        begun = time.time() - INTO_S
        os.utime(place / "scenario", (begun, begun))
        Player(place).step()
        # The tools that stand in for nvme and fwupdmgr lie beside the library.
        environment = os.environ | {"PATH": f"{library}:{os.environ['PATH']}", "GB10_FOLDER": str(place)}
        paths = [f"--procfs={place / 'proc'}", f"--sysfs={place / 'sys'}", f"--kmsg={place / 'kmsg'}"]
        for more in (["--boot=begin", *paths[:1]], [f"--out={place / 'privileged.json'}", *paths]):
            command = [sys.executable, "-I", "-S", str(PRIVILEGED), f"--state={place / 'state'}", *more]
            subprocess.run(command, check=True, env=environment)
        machine.exporter()

    def _prometheus(self) -> int:
        (self.folder / "rules").mkdir()
        for name in RULES:
            rules = yaml.safe_load((CHECKOUT / "exporters/gb10" / name).read_text())
            for group in rules["groups"]:
                group["interval"] = "1s"
            (self.folder / "rules" / name).write_text(yaml.safe_dump(rules))
        (self.folder / "prometheus.yml").write_text(json.dumps(self._config()))
        port = _free_port()
        command = [program("prometheus"), f"--config.file={self.folder / 'prometheus.yml'}",
                   f"--storage.tsdb.path={self.folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
        with (self.folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)
        self._wait_for(port)
        return port

    def _config(self) -> dict[str, Any]:
        def job(name: str, targets: dict[str, int]) -> dict[str, Any]:
            static = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": i}} for i, port in targets.items()]
            return {"job_name": name, "static_configs": static}

        sparks = {name: machine.running[-1].port for name, machine in self.machines.items()}
        mocked = self.page.server_port
        down = {"switched-off": 9}  # port 9 (discard): nobody listens there
        probes = [job(name, dict.fromkeys(sparks, mocked)) for name in ("host_icmp", "host_ssh")]
        own = [job(name, {name: mocked}) for name in ("alertmanager", "blackbox")]
        return {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self.folder / "rules/*.yml")],
            "scrape_configs": [job("gb10", {**sparks, **down}), *probes, *own],
        }

    def _wait_for(self, port: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError((self.folder / "prometheus.log").read_text()[-2000:])


def others() -> dict[str, str]:
    """What the other programs of a host leave for the exporter, in their own words: file → text."""
    now, template = time.time(), CHECKOUT / "templates/var/lib/sparkfleet/metrics/datasets-interval.prom.j2"
    synced = {"current": "v1", "last": {"success": True, "finished": now, "synced": now, "seconds": 1, "files": 1}}
    told = {"sets": {"instructions": synced}, "free_bytes": 2e12, "keep_free_bytes": 1e11}
    interval = template.read_text().partition("\n")[2].replace("{{ fleet.datasets.interval_s }}", "3600")
    return {
        "rotation.prom": rotation_dates.metrics({"ssh": now}, {"ssh": 90}),
        "alignment.prom": alignment_metrics.metrics("aligned", {"release": "25.11"}),
        "datasets.prom": report.metrics(told),
        "datasets-interval.prom": interval,
    }


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
