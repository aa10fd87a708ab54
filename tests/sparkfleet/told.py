"""What a Prometheus would tell of a small fleet: builders of samples, rules and alerts."""

from __future__ import annotations

import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from sparkfleet.monitoring.decide import EXPORTER_JOB, ICMP_JOB, PREFIX, SSH_JOB
from sparkfleet.monitoring.prometheus import Alert, Rule, Sample
from sparkfleet.monitoring.status import Answers, Asked

if TYPE_CHECKING:
    from collections.abc import Callable

NOW_S = 1_800_000_000.0  # 2027-01-15 08:00 UTC
HOSTS = ("spark-01", "spark-02", "spark-03", "spark-04", "spark-05")
ASKED = Asked("office", HOSTS, frozenset(HOSTS[:4]), 45.0)
GIB = 2**30


def sample(host: str, metric: str, value: float, /, **labels: str) -> Sample:
    """One series of the exporter on `host`; `up` has no prefix."""
    name = metric if metric == "up" else PREFIX + metric
    return Sample({"__name__": name, "instance": host, "job": EXPORTER_JOB, **labels}, value, NOW_S)


def probes(host: str, icmp: float | None, ssh: float | None) -> list[Sample]:
    """What the monitor's probes of a host said; None: there is no such probe."""
    said = {ICMP_JOB: icmp, SSH_JOB: ssh}
    name = {"__name__": "probe_success", "instance": host}
    return [Sample({**name, "job": job}, value, NOW_S) for job, value in said.items() if value is not None]


def machine(host: str, gpu: str = "0", *, process: str = "VLLM::EngineCore", tag: str = "simulated") -> list[Sample]:
    """A GB10 that serves a model."""
    zone = {"zone": "0", "type": "acpitz", "name": "TSOC"}
    return [
        sample(host, "up", 1),
        sample(host, "nvml_up", 1),
        sample(host, "nvml_stuck_seconds", 0),
        sample(host, "machine_info", 1, chassis_asset_tag=tag, product_name="NVIDIA_DGX_Spark"),
        *one_gpu(host, gpu, process),
        sample(host, "memory_total_bytes", 121.7 * GIB),
        sample(host, "memory_available_bytes", 33.7 * GIB),
        sample(host, "memory_allocatable_bytes", 49.7 * GIB),
        sample(host, "thermal_zone_celsius", 85.0, **zone),
        sample(host, "thermal_zone_celsius", 79.0, **zone | {"zone": "5", "name": "TGPU"}),
        sample(host, "thermal_zone_trip_celsius", 104.85, **zone, trip="0", action="critical"),
    ]


def one_gpu(host: str, gpu: str, process: str) -> list[Sample]:
    """A GPU at 95 %, 75 °C, 43.2 W and 2489 MHz."""
    held = {"gpu": gpu, "unit": "vllm.service"}
    return [
        sample(host, "gpu_up", 1, gpu=gpu),
        sample(host, "gpu_info", 1, gpu=gpu, name="NVIDIA GB10", driver="580.159.03"),
        sample(host, "gpu_temperature_celsius", 75, gpu=gpu),
        sample(host, "gpu_power_watts", 43.2, gpu=gpu),
        sample(host, "gpu_sm_clock_hertz", 2.489e9, gpu=gpu),
        sample(host, "gpu_utilization_ratio", 0.95, gpu=gpu),
        *(sample(host, "gpu_low_power_state", float(s == "ok"), gpu=gpu, state=s) for s in ("ok", "capped", "stuck")),
        sample(host, "gpu_process_memory_bytes", 67.9 * GIB, process=process, **held),
        sample(host, "gpu_process_memory_bytes", 0.1 * GIB, process="Xorg", **held),
    ]


def alert(name: str, host: str | None, severity: str, state: str = "firing", **annotations: str) -> Rule:
    """A rule with one alert."""
    labels = {"alertname": name, "severity": severity} | ({"instance": host} if host else {})
    return Rule(name, "vector(1)", (Alert(name, state, labels, annotations, "2027-01-15T07:50:00Z"),))


def fleet() -> Answers:
    """Five hosts: one serves, one is hot, one is wedged, one was never scraped, one has no exporter."""
    hot = [s for s in machine("spark-02") if s.name != PREFIX + "thermal_zone_celsius"]
    hot.append(sample("spark-02", "thermal_zone_celsius", 96.0, zone="0", type="acpitz", name="TSOC"))
    rules = (
        alert("Gb10Hot", "spark-02", "page", summary="spark-02 is hot", runbook_url="https://docs.example/Gb10Hot"),
        alert("Gb10DiskFilling", "spark-02", "ticket", "pending"),
        alert("Gb10HostWedged", "spark-03", "page", summary="spark-03 is wedged", runbook_url="javascript:alert(1)"),
        alert("Watchdog", None, "none"),
    )
    silent = [sample("spark-03", "up", 0), *probes("spark-03", 1, 0)]
    return Answers(
        NOW_S,
        (*machine("spark-01"), *probes("spark-01", 1, 1), *hot, *silent),
        {"spark-01": NOW_S - 3.2, "spark-02": NOW_S - 12.0, "spark-03": NOW_S - 4.0},
        {"spark-03": (NOW_S - 420.0, machine("spark-03"))},
        rules,
    )


class Api:
    """A Prometheus that answers what `tell(path, form)` returns: a document, or bytes with a status."""

    def __init__(self, tell: Callable[[str, dict[str, str]], Any]) -> None:
        class Handler(BaseHTTPRequestHandler):
            """Both kinds of question."""

            def do_GET(self) -> None:
                """What stands in the URL."""
                self.reply("")

            def do_POST(self) -> None:
                """What stands in a form."""
                self.reply(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def reply(self, form: str) -> None:
                """As told."""
                parts = urllib.parse.urlsplit(self.path)
                told = tell(parts.path, dict(urllib.parse.parse_qsl(form or parts.query)))
                status, body = told if isinstance(told, tuple) else (200, json.dumps(told).encode())
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Not on the tests' stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def vector(*samples: Sample) -> dict[str, Any]:
    """The answer to an instant query."""
    result = [{"metric": dict(s.labels), "value": [s.at_s, str(s.value)]} for s in samples]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}
