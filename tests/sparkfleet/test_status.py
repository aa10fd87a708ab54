"""`spark status` as a user calls it: on a Prometheus that is told what to say, and on a real one."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.exporters.scraped import job, started
from tests.sparkfleet.told import NOW_S, Api, fleet, vector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkfleet.monitoring.prometheus import Rule

SPARK = Path(sys.executable).with_name("spark")
DEADLINE_S = 30.0
STACK = """\
config:
  sparkfleet:fleet: office
  sparkfleet:hosts:
    spark-01: {addresses: [192.0.2.1], roles: [exporter, monitor]}
    spark-02: {addresses: [192.0.2.2], roles: [exporter]}
    spark-03: {addresses: [192.0.2.3], roles: [exporter]}
"""
CALL = """\
import sys
from pathlib import Path
from sparkfleet import cli
whole = cli.Project
cli.Project = lambda stack: whole(stack, Path.cwd())
cli.main()
"""


def told(path: str, form: dict[str, str]) -> dict[str, Any]:
    """The fleet of told.py, by the questions of ask.py and history.py."""
    answers, query = fleet(), form.get("query", "")
    if path.endswith("/rules"):
        rules = [_rule(rule) for rule in answers.rules or ()]
        return {"status": "success", "data": {"groups": [{"rules": rules}]}}
    if path.endswith("query_range"):
        times = [float(form["start"]) + 30 * n for n in range(20)]
        values = [[t, "43.2"] for t in times] if "power_watts" in query else []
        series = [{"metric": {"instance": "spark-01", "gpu": "0"}, "values": values}] if values else []
        return {"status": "success", "data": {"resultType": "matrix", "result": series}}
    if query.startswith("timestamp"):
        return vector(*(_value(at_s, host) for host, at_s in answers.scraped_s.items()))
    if query.startswith("max by"):
        return vector(*(_value(at_s, host) for host, (at_s, _) in answers.last.items()))
    if query.startswith("min("):
        return vector(_value(NOW_S - 3600, ""))
    return vector(*(answers.last["spark-03"][1] if "time" in form else answers.samples))


def _value(value: float, host: str) -> Any:
    from sparkfleet.monitoring.prometheus import Sample

    return Sample({"instance": host}, value, NOW_S)


def _rule(rule: Rule) -> dict[str, Any]:
    alerts = [
        {"state": a.state, "labels": dict(a.labels), "annotations": dict(a.annotations), "activeAt": a.since}
        for a in rule.alerts
    ]
    return {"name": rule.name, "query": rule.query, "alerts": alerts}


@pytest.fixture
def api() -> Iterator[Api]:
    """That Prometheus."""
    with Api(told) as found:
        yield found


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The words before `status`: a folder with one stack."""
    (tmp_path / "Pulumi.office.yaml").write_text(STACK)
    (tmp_path / "call.py").write_text(CALL)
    return [sys.executable, str(tmp_path / "call.py"), "--stack", "office"]


def spark(command: list[str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run it as a pipe has it."""
    return subprocess.run(
        [*command, "status", *words], cwd=Path(command[1]).parent, capture_output=True, text=True, check=False
    )


def test_in_a_pipe_it_is_plain_and_has_every_column(command: list[str], api: Api) -> None:
    """No colour, no wrapping; `--live` prints once and ends."""
    done = spark(command, "--url", api.url, "--live")

    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert all(heading in done.stdout.splitlines()[0] for heading in ("HELD BY", "CLOCK", "AGE"))
    assert "7 min" in next(line for line in done.stdout.splitlines() if line.startswith("spark-03"))


def test_json_has_the_documented_keys(command: list[str], api: Api) -> None:
    """Every key that a document holds stands in docs/guides/status.md; unknown is null."""
    document = json.loads(spark(command, "spark-01", "spark-03", "--json", "--url", api.url).stdout)
    guide = (Path(__file__).resolve().parents[2] / "docs/guides/status.md").read_text().partition("## JSON")[2]

    def keys(thing: Any) -> set[str]:
        if isinstance(thing, list):
            return set().union(*map(keys, thing))
        if not isinstance(thing, dict):
            return set()
        return set(thing).union(*(keys(inner) for key, inner in thing.items() if key not in {"labels", "annotations"}))

    assert {key for key in keys(document) if key not in guide} == set()
    assert [(host["host"], host["state"], host["stale"]) for host in document["hosts"]] == [
        ("spark-01", "up", False),
        ("spark-03", "wedged", True),
    ]
    assert document["hosts"][0]["gpus"][0]["temperature_margin_celsius"] is None


def test_a_page_is_written_and_named(command: list[str], api: Api, tmp_path: Path) -> None:
    """One file; the line on stdout says where and how long its plots are."""
    done = spark(command, "--html", str(tmp_path / "fleet.html"), "--url", api.url)

    assert done.stdout == f"{tmp_path / 'fleet.html'}: 3 hosts, plots of the last 60 min\n"
    assert "Power of spark-01" in (tmp_path / "fleet.html").read_text()


@pytest.mark.parametrize(
    ("words", "code"),
    [((), 0), (("--detailed-exitcode",), 8), (("spark-01", "--detailed-exitcode"), 0), (("--json", "--live"), 2)],
)
def test_codes_are_those_of_the_table(command: list[str], api: Api, words: tuple[str, ...], code: int) -> None:
    """A firing page changes the code only when that was asked for, and only for the hosts that were named."""
    assert spark(command, "--url", api.url, *words).returncode == code


def test_an_unreachable_monitor_has_its_own_code(command: list[str]) -> None:
    """Nothing is printed that could be taken for a status."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = spark(command, "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")

    assert (done.returncode, done.stdout) == (4, "")
    assert "Next: " in done.stderr


def test_live_shows_it_anew_until_it_is_interrupted(command: list[str]) -> None:
    """On a terminal. While Prometheus is silent the last picture stays, says so, and its values grow older."""
    asked, silent = threading.Event(), threading.Event()

    def tell(path: str, form: dict[str, str]) -> Any:
        asked.set()
        return (503, b"{}") if silent.is_set() else told(path, form)

    outer, inner = pty.openpty()
    with Api(tell) as api, os.fdopen(outer, "rb", buffering=0) as screen:
        process = subprocess.Popen(
            [*command, "status", "--live", "--every", "0.5", "--url", api.url], cwd=Path(command[1]).parent,
            stdin=inner, stdout=inner, stderr=inner, start_new_session=True, env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        os.close(inner)
        shown = _until(screen, "Ctrl-C ends")
        silent.set()
        shown += _until(screen, "refused a question with HTTP status 503")
        process.send_signal(signal.SIGINT)
        late = threading.Timer(DEADLINE_S, process.kill)
        late.start()
        with contextlib.suppress(OSError):  # the terminal is gone when the program is
            while data := screen.read(65536):
                shown += data.decode(errors="replace")
        late.cancel()
        assert process.wait(DEADLINE_S) == 0

    assert asked.is_set()
    assert shown.count("spark-01") >= 3


def _until(screen: Any, words: str) -> str:
    """What the terminal shows up to these words."""
    os.set_blocking(screen.fileno(), False)
    text, end = "", time.monotonic() + DEADLINE_S
    while words not in text:
        assert time.monotonic() < end, text
        text += (screen.read(65536) or b"").decode(errors="replace")
        time.sleep(0.01)
    os.set_blocking(screen.fileno(), True)
    return text


def test_a_real_prometheus_is_understood(command: list[str], tmp_path: Path) -> None:
    """It scrapes what the exporter says of the simulated inference scenario; then the exporter falls silent."""
    said = (Path(__file__).resolve().parents[1] / "golden/gb10/inference.metrics").read_bytes()
    exporter = Api(lambda *_: (200, said))
    pace = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    config = {"global": pace, "scrape_configs": [job("gb10", {"spark-01": exporter.port})]}
    with started(tmp_path, config) as prometheus:
        url = f"http://127.0.0.1:{prometheus.port}"
        with exporter:
            up = _status(command, url, lambda host: host["state"] == "up")
        silent = _status(command, url, lambda host: host["state"] == "no answer" and host["age_s"] is not None)

    assert (up["label"], up["hottest"]["critical_celsius"], up["stale"]) == ("simulated", 104.85, False)
    assert up["gpus"][0]["power_watts"] > 1
    assert silent["stale"]
    assert silent["gpus"] == up["gpus"]


def _status(command: list[str], url: str, wanted: Any) -> dict[str, Any]:
    """The first host, asked until it is as wanted."""
    end = time.monotonic() + DEADLINE_S
    while True:
        done = spark(command, "spark-01", "--json", "--url", url)
        assert done.returncode == 0, done.stderr
        host: dict[str, Any] = json.loads(done.stdout)["hosts"][0]
        if wanted(host):
            return host
        assert time.monotonic() < end, host
