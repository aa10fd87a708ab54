"""The exporter's command line."""

from __future__ import annotations

import re
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.gb10 import __main__ as program
from exporters.web.flags import address
from exporters.web.server import listen

if TYPE_CHECKING:
    from tests.exporters.gb10.conftest import Machine


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:9810", ("127.0.0.1", 9810)), ("[::1]:0", ("::1", 0)), (":9810", ("::", 9810))],
)
def test_an_address_is_host_and_port(text: str, expected: tuple[str, int]) -> None:
    """IPv4, IPv6 in brackets, and no host at all for every interface."""
    assert address(text) == expected


@pytest.mark.parametrize(
    "flag", ["--web.listen-address=9810", "--web.listen-address=a:70000", "--nvml.interval=0", "--nvml.interval=-1"]
)
def test_a_senseless_flag_is_refused(flag: str) -> None:
    """Exit code 2 before anything runs."""
    with pytest.raises(SystemExit) as refused:
        program.main([flag])
    assert refused.value.code == 2


def test_once_prints_a_whole_exposition(machine: Machine) -> None:
    """`--once` prints what a scrape would say, parses as such and ends with 0."""
    done = subprocess.run(
        [*machine.command, "--once"], check=True, capture_output=True, text=True, env=machine.environment
    )
    values = {family.name: family.samples[0].value for family in text_string_to_metric_families(done.stdout)}
    assert values["sparkfleet_gb10_nvml_up"] == 1
    assert values["sparkfleet_gb10_gpu_temperature_celsius"] == 38


def test_a_collector_can_be_left_out(machine: Machine) -> None:
    """`--no-collector.NAME` silences one; without the three that ask NVML no sampler runs, and the end comes sooner."""
    off = [f"--no-collector.{name}" for name in ("nvml", "gpu", "processes", "thermal")]
    machine.library = None
    done = subprocess.run(
        [*machine.command, "--once", *off], check=True, capture_output=True, text=True, env=machine.environment
    )
    told = re.findall(r'collector_success{collector="(\w+)"}', done.stdout)
    assert "memory" in told
    assert not {"nvml", "gpu", "processes", "thermal"} & {*told}
    assert "NVML" not in done.stderr
    assert "thermal_zone_celsius" not in done.stdout


def test_once_without_nvml_ends_too(machine: Machine) -> None:
    """On a machine without NVML `--once` prints the host's metrics and ends with 0."""
    machine.library = None
    done = subprocess.run(
        [*machine.command, "--once"], check=True, capture_output=True, text=True, env=machine.environment, timeout=20
    )
    assert "sparkfleet_gb10_nvml_up 0.0" in done.stdout
    assert "sparkfleet_gb10_memory_available_bytes" in done.stdout


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_alone_is_open_by_both_versions_of_ip(host: str) -> None:
    """A fleet may scrape by IPv4 or by IPv6: `:PORT` takes both."""
    with listen(*address(":0")) as listener:
        port = listener.getsockname()[1]

        socket.create_connection((host, port), timeout=10).close()
