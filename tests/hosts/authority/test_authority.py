"""The fleet's certificate authority runs, for the fleet alone, with the one key that it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from reading import firewall_verdicts
from told_identity import UNIT

if TYPE_CHECKING:
    from machine import Machine


@pytest.mark.control(id="AUTHORITY-01", severity="high", source="sparkfleet")
def test_authority_runs(machine: Machine) -> None:
    """The authority runs, now and after every start, without privileges, and listens at the described port.

    systemd has its unit enabled and active; the kernel says who its process is, and what listens.
    """
    unit = machine.units[UNIT]
    state = f"{unit['UnitFileState']}, {unit['ActiveState']}"
    assert state == "enabled, active", f"{UNIT} is {state}\n{machine.journal(UNIT)}"
    lines = machine.says(f"cat /proc/{unit['MainPID']}/status").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    assert status["Uid"].split()[1] != "0", "it runs as root"
    assert int(status["CapBnd"], 16) == 0, f"it may gain capabilities {status['CapBnd']}"
    port = machine.wanted["authority"]["port"]
    assert port in {one.port for one in machine.listeners}, f"nothing listens at {port}\n{machine.journal(UNIT)}"


@pytest.mark.control(id="AUTHORITY-02", severity="medium", source="sparkfleet")
def test_firewall_lets_only_hosts_ask(machine: Machine) -> None:
    """The firewall is loaded and lets only the fleet's hosts reach the authority.

    The rules in force about its port.
    """
    port, hosts = (machine.wanted["authority"][word] for word in ("port", "hosts"))
    wanted = [*(f"accept {address}" for address in hosts), *([] if machine.wanted["tailnet_only"] else ["drop all"])]
    found = [said for e in machine.firewall if "rule" in e for said in firewall_verdicts(e["rule"]["expr"], port)]
    assert sorted(found) == sorted(wanted), f"for port {port} the rules are: {', '.join(found) or 'none'}"


@pytest.mark.control(id="AUTHORITY-03", severity="high", source="sparkfleet")
def test_authority_has_the_issuing_key_alone(machine: Machine) -> None:
    """The host holds the issuing key and no other, and its certificate is one that the fleet's root signed.

    What openssl says of the files; BASE-11 looks at who may read them.
    """
    keys = [line.removeprefix("key ") for line in machine.issuing if line.startswith("key ")]
    assert keys == ["issuing.key"], f"private keys there: {', '.join(keys) or 'none'}"
    assert "issuing.crt: OK" in machine.issuing, "; ".join(machine.issuing)
