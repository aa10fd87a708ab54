"""Somebody watches, and would be heard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from machine import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

PROMETHEUS, ALERTMANAGER = "http://127.0.0.1:9090", "http://127.0.0.1:9093"
UNITS = {PROMETHEUS: "prometheus.service", ALERTMANAGER: "prometheus-alertmanager.service"}
PORTS = (9090, 9093)
READY_S = 60.0  # a restarted Prometheus reads its write-ahead log first
DISCOVERY_S = 10.0  # Prometheus takes up new targets and Alertmanagers every 5 s


def ask(machine: Machine, path: str) -> Any:
    """The data part of an answer of Prometheus' API."""
    url = f"{PROMETHEUS}/api/v1/{path}"
    text = machine.fetch(url)[url]
    assert text.startswith("{"), f"{url}: {text}"
    return json.loads(text)["data"]


@pytest.mark.control(id="MONITOR-01", severity="high")
def test_prometheus_and_alertmanager_are_ready(machine: Machine) -> None:
    """Prometheus and Alertmanager run and say that they are ready."""

    def complaints() -> list[str]:
        answers = machine.fetch(*(f"{url}/-/ready" for url in UNITS))
        return [f"{url}: {text.strip()}" for url, text in answers.items() if text.startswith(("no answer", "HTTP"))]

    patience_s = READY_S if all(machine.runs(unit) for unit in UNITS.values()) else 0
    silent = eventually(complaints, patience_s)
    shown = "\n".join(machine.journal(unit, 3) for url, unit in UNITS.items() if any(url in s for s in silent))
    assert not silent, f"{'; '.join(silent)}\n{shown}"


@pytest.mark.control(id="MONITOR-02", severity="high")
def test_prometheus_and_alertmanager_are_on_loopback(machine: Machine) -> None:
    """Prometheus and Alertmanager, which ask nobody who they are, listen on loopback."""
    open_ports = [str(one) for one in machine.listeners if one.port in PORTS and not one.on_loopback]
    assert not open_ports, f"open to others: {', '.join(open_ports)}"


@pytest.mark.control(id="MONITOR-03", severity="high")
def test_every_exporter_is_scraped(
    machine: Machine, machines: dict[str, Machine], record_property: Callable[[str, Any], None]
) -> None:
    """Prometheus scrapes every exporter of the fleet, and no other.

    One that does not run is left to EXPORTER-01 of its host.
    """
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")
    unit = "sparkfleet-gb10-exporter.service"
    # Of hosts that are not asked now (still to be provisioned, or off) Prometheus' own alert speaks.
    running = {name for name, other in machines.items() if unit in other.wanted["units"] and other.runs(unit)}
    wanted = machine.wanted["exporters"]

    def complaints() -> list[str]:
        targets = [t for t in ask(machine, "targets")["activeTargets"] if t["labels"]["job"] == "gb10"]
        found = {t["labels"]["instance"]: t for t in targets}
        wrong = [f"{name} is not a target" for name in wanted if name not in found]
        wrong += [f"{name} is a target, but not described" for name in found if name not in wanted]
        down = [t for name, t in found.items() if t["health"] != "up" and name in running]
        return wrong + [f"{t['labels']['instance']} is {t['health']}: {t['lastError'] or t['scrapeUrl']}" for t in down]

    wrong = eventually(complaints, machine.wanted["scrape_interval_s"] * 1.2 + DISCOVERY_S)
    assert not wrong, "; ".join(wrong)
    record_property("evidence", f"{len(running)} exporters run and are scraped; described are {len(wanted)}")


@pytest.mark.control(id="MONITOR-04", severity="high")
def test_alert_rules_are_loaded(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Every shipped alert is loaded and evaluates without error."""
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")
    rules = [rule for group in ask(machine, "rules")["groups"] for rule in group["rules"]]
    broken = [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]
    missing = [f"{name} is not loaded" for name in machine.wanted["alerts"] if name not in {r["name"] for r in rules}]
    assert not broken + missing, f"{'; '.join(missing + broken)}\n{machine.journal(UNITS[PROMETHEUS], 3)}"
    record_property("evidence", f"{len(rules)} alerts are loaded")


@pytest.mark.control(id="MONITOR-05", severity="high")
def test_prometheus_knows_alertmanager(machine: Machine) -> None:
    """Prometheus sends its alerts to the Alertmanager beside it."""
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")

    def complaints() -> list[str]:
        known = [one["url"] for one in ask(machine, "alertmanagers")["activeAlertmanagers"]]
        return [] if any(url.startswith(ALERTMANAGER) for url in known) else [f"Prometheus knows {known or 'none'}"]

    wrong = eventually(complaints, DISCOVERY_S)
    assert not wrong, "; ".join(wrong)
