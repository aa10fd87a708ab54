"""Every alert of the exporters → who is told of it, and what silences it, by Alertmanager's own judgement."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host.sources import rule_files
from sparkfleet.monitoring import rules
from sparkfleet.monitoring.alertmanager import for_webhooks
from sparkfleet.telemetry import Receivers
from tests.programs import alertmanager, free_port, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEADLINE_S = 15.0
EVERYBODY = Receivers.model_validate(
    {n: {"webhook": f"http://192.0.2.9/{n}"} for n in ("page", "ticket", "remediation", "deadman")}
)
TOLD = {"page": "remediation,page", "ticket": "remediation,ticket", "info": "nowhere", "none": "deadman"}
ALERTS = {name: rule["labels"] for text in rule_files().values() for name, rule in rules.alerts(text).items()}


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration with every webhook described, as amtool takes it."""
    file = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yml"
    file.write_text(for_webhooks(EVERYBODY))
    return file


def test_a_configuration_that_tells_nobody_is_sound(tmp_path: Path) -> None:
    """Without a webhook every receiver is there and empty; amtool takes it."""
    file = tmp_path / "alertmanager.yml"
    file.write_text(for_webhooks(Receivers()))

    done = subprocess.run([program("amtool"), "check-config", file], check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "http" not in file.read_text()


@pytest.mark.parametrize(("name", "labels"), ALERTS.items(), ids=ALERTS)
def test_each_alert_reaches_whom_its_severity_names(name: str, labels: dict[str, str], configuration: Path) -> None:
    """A page pages and a ticket makes a ticket, both tell the remediation; info tells nobody; the Watchdog its own."""
    told = TOLD[labels["severity"]]
    words = [f"alertname={name}", "instance=spark-01", *(f"{key}={value}" for key, value in labels.items())]
    command = [program("amtool"), "config", "routes", "test", f"--config.file={configuration}"]

    done = subprocess.run([*command, f"--verify.receivers={told}", *words], check=False, capture_output=True, text=True)

    assert done.returncode == 0, f"{name}: wanted {told}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def silenced(configuration: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., set[str]]]:
    """Fire (alert, host) pairs in a real Alertmanager; which of them are inhibited."""
    port = free_port()
    folder = tmp_path_factory.mktemp("data")
    flags = [f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*alertmanager(), *flags, f"--storage.path={folder}"], stdout=log, stderr=log)
    api = f"http://127.0.0.1:{port}/api/v2/alerts"

    def ask(body: list[dict[str, object]] | None = None) -> list[dict[str, object]]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(api, data, headers), timeout=5) as answer:
            return list(json.loads(answer.read() or b"[]"))

    def fire(*pairs: tuple[str, str]) -> set[str]:
        fired = [{"labels": {"alertname": name, **ALERTS[name], "instance": host}} for name, host in pairs]
        ask(fired)
        until = time.monotonic() + DEADLINE_S
        while True:
            found = [a for a in ask() if a["labels"] in [f["labels"] for f in fired]]
            if len(found) == len(fired) and all(a["status"]["state"] != "unprocessed" for a in found):
                return {a["labels"]["alertname"] for a in found if a["status"]["inhibitedBy"]}
            assert time.monotonic() < until, f"after {DEADLINE_S} s: {found}"
            time.sleep(0.05)

    until = time.monotonic() + DEADLINE_S
    try:
        while True:
            try:
                ask()
                break
            except (urllib.error.URLError, ConnectionError):
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.05)
        yield fire
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.mark.parametrize(
    ("host", "worse", "others", "inhibited"),
    [
        ("a-01", "Gb10HostDown", ["Gb10Hot", "Gb10ExporterDown"], {"Gb10Hot", "Gb10ExporterDown"}),
        ("a-02", "Gb10HostWedged", ["Gb10ExporterDown", "Gb10NvmlStuck"], {"Gb10ExporterDown", "Gb10NvmlStuck"}),
        ("a-03", "Gb10NvmlStuck", ["Gb10GpuLost", "Gb10Hot"], {"Gb10GpuLost"}),
        ("a-04", "Gb10MemoryWedgeRisk", ["Gb10MemoryFragmented", "Gb10DiskFilling"], {"Gb10MemoryFragmented"}),
        ("a-05", "Gb10HostWedged", ["Gb10MemoryWedgeRisk", "Gb10Xid"], set()),
    ],
)
def test_what_follows_from_something_worse_is_not_told(
    host: str, worse: str, others: list[str], inhibited: set[str], silenced: Callable[..., set[str]]
) -> None:
    """Only what the worse alert explains is silent; another fault of the same host is heard."""
    assert silenced((worse, host), *((name, host) for name in others)) == inhibited


def test_one_host_silences_no_other(silenced: Callable[..., set[str]]) -> None:
    """A host that is down says nothing about the next one."""
    assert silenced(("Gb10HostDown", "b-01"), ("Gb10Hot", "b-02")) == set()


def test_the_dead_mans_beat_is_never_silenced(silenced: Callable[..., set[str]]) -> None:
    """Whatever is down, the Watchdog goes on: its silence means that alerting itself broke."""
    assert silenced(("Gb10HostDown", "c-01"), ("Watchdog", "c-01")) == set()
