"""Cases → simulated Sparks with the real exporter, watched by a real Prometheus and Alertmanager, all on loopback.

The GB10s are simulated; what the probes say of ping and SSH comes from a page of ours (`mocked`).
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from bench.alerting.cases import ALWAYS, CAP_MHZ
from lab import gb10
from lab.gb10.player import Player
from lab.instance import CHECKOUT
from tests.programs import alertmanager, program

if TYPE_CHECKING:
    from pathlib import Path

    from bench.alerting.cases import Case

SCRAPE = "5s"  # as in Pulumi.lab.yaml
TOLD_EVERY_S = 10.0  # the root oneshot; on a host its timer comes every 30 s
DEADLINE_S = 30.0


def free_port() -> int:
    """A port of loopback that nobody has at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def fetched(url: str) -> Any:
    """What a JSON API answers."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  always our own http://127.0.0.1
        return json.load(answer)


class Spark:
    """One case: its folder, its player, its exporter."""

    def __init__(self, case: Case, folder: Path, library: Path) -> None:
        self.case, self.folder, self.library = case, folder, library
        self.ping = self.ssh = True
        folder.mkdir()
        (folder / "state").mkdir()
        gb10.put(gb10.scenario(case.healthy), folder)
        self.player = Player(folder)
        self._boot_id = ""
        self.tell()
        self.port = free_port()
        self.process = self._exporter()

    def load_fault(self) -> None:
        """Now it goes wrong."""
        if (self.case.fault and self.case.fault != self.case.healthy) or self.case.more:
            gb10.put(gb10.scenario(str(self.case.fault)) + self.case.more, self.folder)
        self.ping, self.ssh = self.case.ping, self.case.ssh
        if self.case.exporter == "stopped":
            self.process.send_signal(signal.SIGSTOP)
        elif self.case.exporter == "ended":
            self.process.terminate()

    def tell(self) -> None:
        """The root oneshot's run; at a new boot id its mark of a boot first."""
        self.player.step()
        boot_id = (self.folder / "proc/sys/kernel/random/boot_id").read_text()
        if boot_id != self._boot_id:
            self._privileged("--boot=begin")
            self._boot_id = boot_id
        self._privileged(f"--out={self.folder / 'privileged.json'}")

    def stop(self) -> None:
        """End the exporter, whatever state it is in."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _exporter(self) -> subprocess.Popen[bytes]:
        paths = [f"--path.{name}fs={self.folder / name}" for name in ("proc", "sys", "root")]
        more = [f"--path.privileged={self.folder / 'privileged.json'}", "--recorder.file="]
        cap = [f"--gpu.clock-cap={CAP_MHZ}"] if self.case.cap else []
        listen = f"--web.listen-address=127.0.0.1:{self.port}"
        environment = os.environ | {
            "NVML_SCENARIO": str(self.folder / "scenario"),
            "LD_LIBRARY_PATH": str(self.library),
        }
        with (self.folder / "log").open("wb") as log:
            command = [sys.executable, "-m", "exporters.gb10", *paths, *more, *cap, listen]
            return subprocess.Popen(command, env=environment, stderr=log, cwd=CHECKOUT)

    def _privileged(self, what: str) -> None:
        program_ = [sys.executable, "-I", "-S", str(CHECKOUT / "exporters/gb10/privileged.py")]
        paths = [f"--{name}fs={self.folder / name}" for name in ("proc", "sys")]
        more = [f"--kmsg={self.folder / 'kmsg'}", f"--state={self.folder / 'state'}", what]
        environment = os.environ | {"GB10_FOLDER": str(self.folder), "PATH": f"{self.library}:{os.environ['PATH']}"}
        subprocess.run([*program_, *paths, *more], env=environment, check=True)


class Fleet:
    """Everything that runs. `stop` ends each process by its id."""

    def __init__(self, cases: list[Case], folder: Path) -> None:
        self.folder = folder
        self.sparks: dict[str, Spark] = {}
        self.programs: list[subprocess.Popen[bytes]] = []
        self._over = threading.Event()
        self.page = ThreadingHTTPServer(("127.0.0.1", 0), self._page())
        threading.Thread(target=self.page.serve_forever, daemon=True).start()
        try:
            library = gb10.build(folder / "library")
            for case in cases:
                self.sparks[case.name] = Spark(case, folder / case.name, library)
            for step in (self._play, self._tell):
                threading.Thread(target=step, daemon=True).start()
            self.alerts_port, self.port = free_port(), free_port()
            self._start()
        except BaseException:
            self.stop()
            raise

    def firing(self) -> set[tuple[str, str]]:
        """What Alertmanager has as active now: instance and alert."""
        found = fetched(f"http://127.0.0.1:{self.alerts_port}/api/v2/alerts?active=true")
        labels = [one["labels"] for one in found if one["labels"]["alertname"] != ALWAYS]
        return {(one["instance"], one["alertname"]) for one in labels}

    def lives(self) -> bool:
        """Whether the dead man's alert has come through."""
        found = fetched(f"http://127.0.0.1:{self.alerts_port}/api/v2/alerts")
        return any(one["labels"]["alertname"] == ALWAYS for one in found)

    def stop(self) -> None:
        """End all, the last started first."""
        self._over.set()
        for process in reversed(self.programs):
            process.terminate()
            process.wait()
        for spark in self.sparks.values():
            spark.stop()
        self.page.shutdown()
        self.page.server_close()

    def _play(self) -> None:
        while not self._over.wait(1.0):
            for spark in self.sparks.values():
                spark.player.step()

    def _tell(self) -> None:
        while not self._over.wait(TOLD_EVERY_S):
            for spark in self.sparks.values():
                if not self._over.is_set():
                    spark.tell()

    def _page(self) -> type[BaseHTTPRequestHandler]:
        sparks = self.sparks

        class Page(BaseHTTPRequestHandler):
            """/host_icmp/NAME and /host_ssh/NAME → probe_success. Mocked."""

            def do_GET(self) -> None:
                job, name = re.fullmatch(r"/(\w+)/([\w-]+)", self.path).groups()  # type: ignore[union-attr]
                good = sparks[name].ping if job == "host_icmp" else sparks[name].ssh
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(f"probe_success {int(good)}\n".encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Page

    def _start(self) -> None:
        """Alertmanager, then Prometheus with the rules as they are; both ready."""
        (self.folder / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
        (self.folder / "prometheus.yml").write_text(json.dumps(self._configuration()))
        at = f"127.0.0.1:{self.alerts_port}"
        self._run("alertmanager", [*alertmanager(), f"--config.file={self.folder / 'alertmanager.yml'}",
                  f"--storage.path={self.folder / 'alerts'}", f"--web.listen-address={at}",
                  "--cluster.listen-address="], self.alerts_port)  # fmt: skip
        self._run("prometheus", [program("prometheus"), f"--config.file={self.folder / 'prometheus.yml'}",
                  f"--storage.tsdb.path={self.folder / 'data'}",
                  f"--web.listen-address=127.0.0.1:{self.port}"], self.port)  # fmt: skip

    def _run(self, name: str, command: list[str], port: int) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.programs.append(subprocess.Popen(command, stdout=log, stderr=log))
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{name} is not ready:\n{(self.folder / f'{name}.log').read_text()[-1500:]}")

    def _configuration(self) -> dict[str, Any]:
        exporters = [(f"127.0.0.1:{spark.port}", name) for name, spark in self.sparks.items()]
        jobs = [{"job_name": "gb10", "static_configs": [
            {"targets": [target], "labels": {"instance": name}} for target, name in exporters]}]  # fmt: skip
        for name in self.sparks:  # a path each: a job of its own, which gets the common name
            for job in ("host_icmp", "host_ssh"):
                target = {"targets": [f"127.0.0.1:{self.page.server_port}"], "labels": {"instance": name, "job": job}}
                config = {"job_name": f"{job}/{name}", "metrics_path": f"/{job}/{name}", "static_configs": [target]}
                jobs.append(config)
        return {
            "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE},
            "rule_files": [str(CHECKOUT / f"exporters/gb10/{name}.yml") for name in ("alerts", "recording")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self.alerts_port}"]}]}]},
            "scrape_configs": jobs,
        }
