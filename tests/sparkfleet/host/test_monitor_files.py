"""The monitor's rendered files, judged by the programs that read them: promtool, amtool, the blackbox exporter."""

from __future__ import annotations

import http.client
import shlex
import socket
import subprocess
import threading
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet import config
from sparkfleet.host.desired import desired
from tests.programs import free_port, program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet

DEADLINE_S = 15.0
AMP = {
    "region": "eu-west-1",
    "workspace_id": "ws-12345678-90ab-cdef-1234-567890abcdef",
    "profile": "monitor",
    "role_arn": "arn:aws:iam::111122223333:role/writer",
}


def with_changes(fleet: Fleet, **parts: Any) -> Fleet:
    """The fleet of the goldens with sections replaced."""
    return config.parse({**fleet.model_dump(mode="json"), **parts})


def alone(fleet: Fleet) -> Fleet:
    """A fleet whose only host is a monitor without the exporter, under a name that YAML 1.1 takes for false."""
    return with_changes(fleet, hosts={"no": {"addresses": ["192.0.2.1"], "roles": ["monitor"]}}, cloud={})


def on_amp(fleet: Fleet) -> Fleet:
    """The same fleet, writing to an AMP workspace too."""
    return with_changes(fleet, monitoring={"amp": AMP})


@pytest.mark.parametrize("change", [lambda fleet: fleet, alone, on_amp], ids=["as described", "no exporter", "amp"])
def test_every_file_passes_the_program_that_reads_it(
    change: Callable[[Fleet], Fleet], fleet: Fleet, project_sources: Sources, tmp_path: Path
) -> None:
    """The validators that stand in the templates' first lines, carried out here as apply does on the host."""
    described = change(fleet)
    host = desired(described, next(iter(described.hosts)), project_sources)
    checks = {path: file for path, file in host.files.items() if file.validate and "prometheus" in path}
    assert len(checks) >= 4
    for path, file in checks.items():
        (tmp_path / "judged.yml").write_bytes(file.content)
        name, *words = shlex.split(file.validate % (tmp_path / "judged.yml"))
        done = subprocess.run([program(name), *words], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{path}: {done.stdout}{done.stderr}"


def test_a_workspace_gets_samples_signed_for_its_region(fleet: Fleet, project_sources: Sources) -> None:
    """Remote write names the workspace, its region, the profile and the role; nobody else's samples go along."""
    text = desired(on_amp(fleet), "spark-01", project_sources).files["/etc/prometheus/prometheus.yml"].content
    [write] = yaml.safe_load(text)["remote_write"]

    assert write["url"] == (
        "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/"
        "ws-12345678-90ab-cdef-1234-567890abcdef/api/v1/remote_write"
    )
    assert write["sigv4"] == {"region": "eu-west-1", "profile": "monitor", "role_arn": AMP["role_arn"]}
    assert [rule["action"] for rule in write["write_relabel_configs"]] == ["drop"]


def test_every_host_is_probed_under_its_name(fleet: Fleet, project_sources: Sources) -> None:
    """Also one without an exporter: by ping at its first address, by SSH at its own port."""
    hosts = fleet.model_dump(mode="json")["hosts"]
    hosts["spark-02"] |= {"port": 2222, "roles": []}
    text = desired(with_changes(fleet, hosts=hosts), "spark-01", project_sources)
    jobs = {
        j["job_name"]: j for j in yaml.safe_load(text.files["/etc/prometheus/prometheus.yml"].content)["scrape_configs"]
    }
    targets = {
        job: {s["labels"]["instance"]: s["targets"] for s in jobs[job]["static_configs"]}
        for job in ("host_icmp", "host_ssh")
    }

    assert targets == {
        "host_icmp": {"spark-01": ["100.64.0.1"], "spark-02": ["fd7a::2"]},
        "host_ssh": {"spark-01": ["100.64.0.1:22"], "spark-02": ["[fd7a::2]:2222"]},
    }


@pytest.fixture
def probe(fleet: Fleet, project_sources: Sources, tmp_path: Path) -> Iterator[Callable[[str, str], float]]:
    """Ask a real blackbox exporter with the shipped configuration: (module, target) → probe_success."""
    settings = tmp_path / "blackbox.yml"
    settings.write_bytes(desired(fleet, "spark-01", project_sources).files["/etc/prometheus/blackbox.yml"].content)
    port = free_port()
    flags = [f"--config.file={settings}", f"--web.listen-address=127.0.0.1:{port}"]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([program("prometheus-blackbox-exporter"), *flags], stdout=log, stderr=log)

    def ask(module: str, target: str) -> float:
        query = urllib.parse.urlencode({"module": module, "target": target})
        path, patience = f"/probe?{query}", {"X-Prometheus-Scrape-Timeout-Seconds": "1.5"}
        until = time.monotonic() + DEADLINE_S
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", path, headers=patience)
                lines = connection.getresponse().read().decode().splitlines()
                return float(next(line.split()[1] for line in lines if line.startswith("probe_success ")))
            except ConnectionError:
                assert time.monotonic() < until, (tmp_path / "log").read_text()
                time.sleep(0.05)

    try:
        yield ask
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def banner() -> Iterator[Callable[[bytes], str]]:
    """Make a listener that says some bytes to whoever connects and then waits; its address."""
    listeners: list[socket.socket] = []

    def listen(words: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                connection.sendall(words)

        threading.Thread(target=serve, daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield listen
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_a_wedged_host_is_told_from_one_that_answers(
    probe: Callable[[str, str], float], banner: Callable[[bytes], str]
) -> None:
    """An open SSH port that says nothing, as on a Spark out of memory, fails the probe; a banner passes it."""
    assert probe("ssh_banner", banner(b"SSH-2.0-OpenSSH_9.2p1\r\n")) == 1
    assert probe("ssh_banner", banner(b"")) == 0
    assert probe("ssh_banner", f"127.0.0.1:{free_port()}") == 0


def test_a_host_answers_pings(probe: Callable[[str, str], float]) -> None:
    """The module icmp takes the plain address that stands in prometheus.yml."""
    assert probe("icmp", "127.0.0.1") == 1
