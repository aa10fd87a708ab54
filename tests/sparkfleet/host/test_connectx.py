"""The description of the ports → netplan's file, and what the host's program makes of it and of the files beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.host import connectx_script
from sparkfleet.host.desired import desired
from sparkfleet.host.parts.connectx import expected
from tests.sparkfleet.host.conftest import description

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.host.sources import Sources

OURS = "/etc/netplan/90-sparkfleet-connectx.yaml"
PORTS = {"enp1s0f0np0": "192.168.100.11/24", "enP2p1s0f0np0": "192.168.101.11/24"}
# Simulated: what netplan says of a file is its own affair; here it takes every one.
NETPLAN = '#!/bin/sh\ntest -e "$3/etc/netplan/90-sparkfleet-connectx.yaml" || exit 9\necho "$@" >> "$CALLS"\n'


def described(**ports: dict[str, str]) -> dict[str, Any]:
    """A description in which these hosts have these ports."""
    raw = description()
    for name, host in raw["hosts"].items():
        if name.replace("-", "_") in ports:
            host["connectx"] = ports[name.replace("-", "_")]
            host["roles"] = [*host.get("roles", []), "connectx"]
    return raw


def test_the_file_holds_the_ports_and_nothing_else(project_sources: Sources) -> None:
    """Netplan is told each port's address and packet size, by root's eyes alone, and no renderer."""
    file = desired(config.parse(described(spark_01=PORTS)), "spark-01", project_sources).files[OURS]
    network = yaml.safe_load(file.content)["network"]
    assert file.mode == 0o600
    assert set(network) == {"version", "ethernets"}
    assert {port: entry["addresses"] for port, entry in network["ethernets"].items()} == {
        port: [address] for port, address in PORTS.items()
    }
    assert {entry["mtu"] for entry in network["ethernets"].values()} == {9000}


def test_the_checks_know_who_answers(project_sources: Sources) -> None:  # noqa: ARG001
    """A port's peers are the other hosts' addresses in its network."""
    other = {"enp1s0f0np0": "192.168.100.12/24", "enp1s0f1np1": "192.168.102.12/24"}
    fleet = config.parse(described(spark_01=PORTS, spark_02=other))
    assert expected(fleet, "spark-01")["peers"] == {"enp1s0f0np0": ["192.168.100.12"], "enP2p1s0f0np0": []}


@pytest.mark.parametrize(
    ("ports", "path"),
    [
        ({"spark_01": {}}, "hosts.spark-01.connectx: missing"),
        ({"spark_01": {"enp1s0f0np0": "192.168.100.11"}}, "hosts.spark-01.connectx.enp1s0f0np0: expected an address"),
        ({"spark_01": {"en p": "192.168.100.11/24"}}, "hosts.spark-01.connectx.en p: expected a network interface"),
        (
            {"spark_01": {"a0": "192.168.100.11/24", "a1": "192.168.100.12/24"}},
            "hosts.spark-01.connectx.a1: 192.168.100.0/24 is also the network of a0",
        ),
        (
            {"spark_01": {"a0": "192.168.100.11/24"}, "spark_02": {"a0": "192.168.100.11/24"}},
            "hosts.spark-02.connectx.a0: 192.168.100.11 is also the address of hosts.spark-01.connectx.a0",
        ),
    ],
)
def test_faults_are_told_with_their_path(ports: dict[str, dict[str, str]], path: str) -> None:
    """A port without a prefix, two in one network, an address twice: refused before anything is touched."""
    with pytest.raises(ConfigError) as refused:
        config.parse(described(**ports))
    assert any(fault.startswith(path) for fault in refused.value.faults), refused.value.faults


def test_ports_without_the_role_are_told() -> None:
    """Addresses that nothing would use are a fault, not a comment."""
    raw = description()
    raw["hosts"]["spark-01"]["connectx"] = PORTS
    with pytest.raises(ConfigError, match=r"hosts\.spark-01\.connectx: needs the role connectx"):
        config.parse(raw)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that stands for a host, with our file in it and a netplan that takes everything (simulated)."""
    (tmp_path / "etc/netplan").mkdir(parents=True)
    (tmp_path / OURS[1:]).write_text("network: {ethernets: {enp1s0f0np0: {mtu: 9000}, enP2p1s0f0np0: {mtu: 9000}}}\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/netplan").write_text(NETPLAN)
    (tmp_path / "bin/netplan").chmod(0o755)
    return tmp_path


def program(root: Path, *words: str) -> tuple[int, str]:
    """The host's program on that folder: exit code and last words."""
    env = {"PATH": f"{root / 'bin'}:{os.environ['PATH']}", "CALLS": str(root / "calls")}
    command = [sys.executable, connectx_script.__file__, "--root", str(root), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=30)
    return done.returncode, done.stderr.strip() or done.stdout.strip()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("etc/netplan/40-cx7.yaml", "network: {ethernets: {enP2p1s0f0np0: {dhcp4: true}}}"),
        ("run/netplan/x.yaml", "network: {ethernets: {cage: {match: {name: enP2p1s0f0np0}}}}"),
        ("lib/netplan/x.yaml", "network: {ethernets: {cage: {match: {driver: x}, set-name: enP2p1s0f0np0}}}"),
    ],
)  # fmt: skip
def test_a_port_that_another_file_describes_is_refused(root: Path, name: str, text: str) -> None:
    """By key, match or new name: netplan would merge the two in silence, so the file and the port are named."""
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)
    code, said = program(root, "check", str(root / OURS[1:]))
    assert (code, said.startswith(f"/{name} describes enP2p1s0f0np0 as well")) == (1, True), said


def test_files_of_others_are_left_alone(root: Path) -> None:
    """Other interfaces, a file that another hides, and one of wifis are nobody's business."""
    for name, text in (
        ("etc/netplan/01-owner.yaml", "network: {ethernets: {enP7s7: {dhcp4: true}}, wifis: {enp1s0f0np0: {}}}"),
        ("lib/netplan/01-owner.yaml", "network: {ethernets: {enp1s0f0np0: {}}}"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    assert program(root, "check", str(root / OURS[1:])) == (0, "")
    assert "generate --root-dir" in (root / "calls").read_text()


def test_a_broken_file_beside_ours_is_named(root: Path) -> None:
    """Netplan would refuse everything because of it, so nothing is put beside it."""
    (root / "etc/netplan/50-x.yaml").write_text("network: {ethernets: [\n")
    code, said = program(root, "check", str(root / OURS[1:]))
    assert code == 1
    assert "50-x.yaml cannot be read as YAML" in said


def test_a_port_that_is_not_there_is_no_failure(root: Path) -> None:
    """The card sleeps without a cable: both ports are passed over, and said."""
    code, said = program(root, "apply")
    assert code == 0
    assert said.count("is not there") == 2


def test_a_port_that_nobody_renders_is_told(root: Path) -> None:
    """Netplan that makes nothing of our file is a failure, not silence."""
    (root / "sys/class/net/enp1s0f0np0").mkdir(parents=True)
    code, said = program(root, "apply")
    assert code == 1
    assert "nothing for enp1s0f0np0" in said
