"""Grafana answers on loopback, to nobody without a password, and not to the one that everybody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from machine import eventually

if TYPE_CHECKING:
    from machine import Machine

UNIT = "grafana-server.service"
START_S = 60.0  # the first start makes a database
DEFAULT_LOGIN = "admin:admin"  # Grafana's own default, which must open nothing


def status(machine: Machine, path: str, *options: str) -> str:
    """The HTTP status of a request that the host itself makes; 000 where nobody answers."""
    url = f"http://127.0.0.1:{machine.wanted['grafana_port']}{path}"
    words = ("-s", "-o", "/dev/null", "-w", "%{http_code}", *options, url)
    return machine.says("curl " + " ".join(["%s"] * len(words)) + " || true", *words).strip()


@pytest.mark.control(id="GRAFANA-01", severity="medium", source="sparkfleet")
def test_grafana_is_ready(machine: Machine) -> None:
    """Grafana runs and says that it is well.

    Its page of health, fetched on the host.
    """
    patience_s = START_S if machine.runs(UNIT) else 0
    wrong = eventually(lambda: [s for s in [status(machine, "/api/health")] if s != "200"], patience_s)
    assert not wrong, f"/api/health answers {wrong[0]}\n{machine.journal(UNIT, 3)}"


@pytest.mark.control(id="GRAFANA-02", severity="high", source="sparkfleet")
def test_grafana_is_on_loopback(machine: Machine) -> None:
    """Grafana listens on loopback.

    The sockets that listen on its port.
    """
    port = machine.wanted["grafana_port"]
    open_ports = [str(one) for one in machine.listeners if one.port == port and not one.on_loopback]
    assert not open_ports, f"open to others: {', '.join(open_ports)}"


@pytest.mark.control(id="GRAFANA-03", severity="high", source="sparkfleet")
def test_grafana_asks_who_is_there(machine: Machine) -> None:
    """Neither nobody nor admin with the password admin gets in.

    Both try, on the host, and must get 401.
    """
    machine.need(UNIT, "GRAFANA-01")
    met = {
        "without a login": status(machine, "/api/search"),
        "admin": status(machine, "/api/search", "-u", DEFAULT_LOGIN),
    }
    let_in = [f"{who}: {code}" for who, code in met.items() if code != "401"]
    assert not let_in, f"not refused with 401: {', '.join(let_in)}"
