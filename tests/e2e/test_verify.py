"""The compliance pack on a converged host: all of it passes; break one thing, and the one check about it fails."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

HOST = "spark-01"  # it has every role
SSHD = "/etc/ssh/sshd_config.d/00-sparkfleet.conf"
KEYS = "/etc/ssh/authorized_keys"
STRAY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE stray"


@dataclass(frozen=True)
class Fault:
    """What somebody does to a host, how it is undone, and the check that notices; commands hold no single quotes."""

    name: str
    done: str
    undone: str
    noticed: str
    evidence: str


FAULTS = [
    Fault(
        "passwords are let in",
        f'cp -p {SSHD} /root/kept; sed -i "s/^PasswordAuthentication.*/PasswordAuthentication yes/" {SSHD}',
        f"mv /root/kept {SSHD}",
        "ACCESS-01",
        "passwordauthentication is yes",
    ),
    Fault(
        "a Match block reads one user's own keys",
        f'cp -p {SSHD} /root/kept; printf "Match User alice\\nAuthorizedKeysFile .ssh/authorized_keys\\n" >> {SSHD}',
        f"mv /root/kept {SSHD}",
        "ACCESS-04",
        "for alice",
    ),
    Fault(
        "another drop-in",
        "echo UseDNS no > /etc/ssh/sshd_config.d/99-stray.conf",
        "rm /etc/ssh/sshd_config.d/99-stray.conf",
        "ACCESS-10",
        "99-stray.conf",
    ),
    Fault(
        "a stray key",
        f"cp -p {KEYS}/alice /root/kept; echo {STRAY} >> {KEYS}/alice",
        f"mv /root/kept {KEYS}/alice",
        "ACCESS-12",
        "EEEEEEEEEEEE is not described",
    ),
    Fault(
        "sudo without a password",
        'echo "%sudo ALL=(ALL) NOPASSWD: ALL" > /etc/sudoers.d/99-stray',
        "rm /etc/sudoers.d/99-stray",
        "ACCESS-14",
        "%sudo",
    ),
    Fault(
        "somebody else in group sudo",
        "useradd --groups sudo mallory",
        "userdel mallory",
        "ACCESS-15",
        "mallory is not described",
    ),
    Fault(
        "a service on every address",
        "systemd-run --quiet --unit=stray python3 -m http.server 8000; "
        "until ss -lntH | grep -q :8000; do sleep 0.1; done",
        "systemctl stop stray",
        "ACCESS-18",
        "0.0.0.0:8000 (python3)",
    ),
    Fault(
        "the firewall is gone",
        "nft delete table inet sparkfleet",
        "systemctl reload sparkfleet-firewall",
        "ACCESS-20",
        "no table inet sparkfleet",
    ),
    Fault(
        "a kernel setting",
        "sysctl -qw net.ipv4.conf.all.accept_redirects=1",
        "sysctl -qw net.ipv4.conf.all.accept_redirects=0",
        "BASE-04/net.ipv4.conf.all.accept_redirects",
        "is 1, described is 0",
    ),
    Fault(
        "updates may touch the driver",
        'echo "#clear Unattended-Upgrade::Package-Blacklist;" > /etc/apt/apt.conf.d/99stray',
        "rm /etc/apt/apt.conf.d/99stray",
        "BASE-05",
        "nvidia-driver-580-open",
    ),
    Fault(
        "the exporter is stopped",
        "systemctl stop sparkfleet-gb10-exporter",
        "systemctl start sparkfleet-gb10-exporter",
        "EXPORTER-01",
        "inactive",
    ),
    Fault(
        "nobody reads what only root may",
        "systemctl stop sparkfleet-gb10-privileged.timer",
        "systemctl start sparkfleet-gb10-privileged.timer",
        "EXPORTER-04",
        "does not run",
    ),
    Fault(
        "Prometheus is open to everybody",
        "cp -p /etc/default/prometheus /root/kept; sed -i s/127.0.0.1:9090/:9090/ /etc/default/prometheus; "
        "systemctl restart prometheus; until ss -lntH | grep -q :9090; do sleep 0.1; done",
        "mv /root/kept /etc/default/prometheus; systemctl restart prometheus",
        "MONITOR-02",
        ":9090 (prometheus)",
    ),
    Fault(
        "samples are thrown away early",
        "cp -p /etc/default/prometheus /root/kept; "
        'sed -i "s/retention.time=[0-9a-z]*/retention.time=1d/" /etc/default/prometheus; systemctl restart prometheus',
        "mv /root/kept /etc/default/prometheus; systemctl restart prometheus",
        "MONITOR-07",
        "are kept for 1d",
    ),
]


def test_a_converged_host_passes(converged: FleetUnderTest, tmp_path: Path) -> None:
    """Nothing fails on a host as described; JUnit and JSON name the host, and every role was asked."""
    done = converged.spark("verify", HOST, "--junit", str(tmp_path / "j.xml"), "--json", str(tmp_path / "j.json"))
    assert done.code == 0, done.text
    assert f"{HOST}  " in done.text
    found = json.loads((tmp_path / "j.json").read_text())
    assert found["unreachable"] is None
    assert "failed" not in found["summary"]
    passed = {v["id"].partition("-")[0] for v in found["verdicts"] if v["host"] == HOST and v["outcome"] == "passed"}
    assert passed == {"BASE", "ACCESS", "EXPORTER", "MONITOR"}
    cases = list(ET.parse(tmp_path / "j.xml").iter("testcase"))  # noqa: S314  (pytest wrote it)
    assert len(cases) == len(found["verdicts"])
    assert all(HOST in str(case.get("name")) for case in cases)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.noticed)
def test_one_fault_fails_one_check(converged: FleetUnderTest, fault: Fault, tmp_path: Path) -> None:
    """A broken setting fails exactly the check about it, with evidence, and ends with code 6."""
    with broken(converged, fault):
        done = converged.spark("verify", HOST, "--json", str(tmp_path / "found.json"))
    found = json.loads((tmp_path / "found.json").read_text())
    failed = {v["id"]: v["detail"] for v in found["verdicts"] if v["outcome"] == "failed"}
    assert list(failed) == [fault.noticed], done.text
    assert fault.evidence in failed[fault.noticed]
    assert done.code == 6


@contextmanager
def broken(fleet: FleetUnderTest, fault: Fault) -> Iterator[None]:
    """The fault is there inside the block, and undone after it."""
    done = fleet.on(HOST, fault.done)
    assert done.code == 0, done.text
    try:
        yield
    finally:
        mended = fleet.on(HOST, fault.undone)
        assert mended.code == 0, mended.text
