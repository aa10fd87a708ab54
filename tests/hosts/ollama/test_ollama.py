"""Ollama runs for the host alone, and makes room before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine

UNIT = "ollama.service"


@pytest.mark.control(id="OLLAMA-01", severity="medium", source="sparkfleet")
def test_ollama_runs(machine: Machine) -> None:
    """Ollama runs, now and after every start, and not as root.

    systemd has its unit enabled and active; the user of its process.
    """
    found = machine.ollama
    state = f"{found['UnitFileState']}, {found['ActiveState']}"
    assert state == "enabled, active", f"{UNIT} is {state}\n{machine.journal(UNIT)}"
    assert found["Uid"] != "0", "it runs as root"


@pytest.mark.control(id="OLLAMA-02", severity="high", source="sparkfleet")
def test_ollama_listens_on_loopback(machine: Machine) -> None:
    """Ollama asks nobody for a password, so it listens on loopback alone, at the described port.

    Who listens at the port, and where else the process does.
    """
    machine.need(UNIT, "OLLAMA-01")
    port = machine.wanted["ollama_port"]
    found = [one for one in machine.listeners if one.port == port or one.process == "ollama"]
    outside = [str(one) for one in found if not one.on_loopback]
    assert not outside, f"everybody can use it: {', '.join(outside)}"
    assert port in {one.port for one in found}, f"nothing listens at 127.0.0.1:{port}\n{machine.journal(UNIT)}"


@pytest.mark.control(id="OLLAMA-03", severity="medium", source="GB10")
def test_ollama_asks_the_memory_guard(machine: Machine) -> None:
    """On hosts with the memory guard Ollama asks it for room before it starts.

    What systemd runs before the unit.
    """
    if "memory" not in machine.wanted["roles"]:
        pytest.skip("the host has no memory guard")
    before = machine.ollama.get("ExecStartPre", "")
    assert "spark-memguard" in before, f"before its start runs: {before or 'nothing'}"
