"""Somebody watches, and would be heard."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from machine import eventually
from reading import size_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

PROMETHEUS, ALERTMANAGER, PROBER = "http://127.0.0.1:9090", "http://127.0.0.1:9093", "http://127.0.0.1:9115"
UNITS = {
    PROMETHEUS: "prometheus.service",
    ALERTMANAGER: "prometheus-alertmanager.service",
    PROBER: "prometheus-blackbox-exporter.service",
}
READY = {PROMETHEUS: "/-/ready", ALERTMANAGER: "/-/ready", PROBER: "/-/healthy"}
PORTS = (9090, 9093, 9115)
PROBES = ("host_icmp", "host_ssh")
REACHED = "query?query=probe_success%7Bjob%3D%22host_ssh%22%7D%3D%3D1"  # the hosts whose SSH port answers
READY_S = 60.0  # a restarted Prometheus reads its write-ahead log first
RESEND_S = 60.0  # how long Prometheus waits to repeat an alert that found no Alertmanager yet
SMALLEST_LIMIT = 128 << 20  # bytes; what sparkfleet/monitoring/storage_limit.py leaves Prometheus on any disk
DISCOVERY_S = 10.0  # Prometheus takes up new targets and Alertmanagers every 5 s


def instance(target: dict[str, Any]) -> str:
    """The host that a target of Prometheus is about."""
    return str(target["labels"]["instance"])


def answers(met: str) -> bool:
    """Whether what `fetch` met at a URL is an answer of whom it belongs to."""
    return not met.startswith("no answer")


def ask(machine: Machine, path: str) -> Any:
    """The data part of an answer of Prometheus' API."""
    url = f"{PROMETHEUS}/api/v1/{path}"
    text = machine.fetch(url)[url]
    assert text.startswith("{"), f"{url}: {text}"
    return json.loads(text)["data"]


@pytest.mark.control(id="MONITOR-01", severity="high", source="sparkfleet")
def test_prometheus_and_its_helpers_are_ready(machine: Machine) -> None:
    """Prometheus, Alertmanager and the prober run and say that they are ready.

    Their pages of readiness, fetched on the host.
    """

    def complaints() -> list[str]:
        answers = machine.fetch(*(f"{url}{page}" for url, page in READY.items()))
        return [f"{url}: {text.strip()}" for url, text in answers.items() if text.startswith(("no answer", "HTTP"))]

    patience_s = READY_S if all(machine.runs(unit) for unit in UNITS.values()) else 0
    silent = eventually(complaints, patience_s)
    shown = "\n".join(machine.journal(unit, 3) for url, unit in UNITS.items() if any(url in s for s in silent))
    assert not silent, f"{'; '.join(silent)}\n{shown}"


@pytest.mark.control(id="MONITOR-02", severity="high", source="sparkfleet")
def test_prometheus_and_its_helpers_are_on_loopback(machine: Machine) -> None:
    """Prometheus, Alertmanager and the prober, which ask nobody who they are, listen on loopback.

    The sockets that listen on their ports.
    """
    open_ports = [str(one) for one in machine.listeners if one.port in PORTS and not one.on_loopback]
    assert not open_ports, f"open to others: {', '.join(open_ports)}"


@pytest.mark.control(id="MONITOR-03", severity="high", source="sparkfleet")
def test_every_exporter_is_scraped(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Prometheus scrapes every exporter of the fleet, and no other.

    The monitor itself asks each exporter that Prometheus calls down. One whose host refuses (it does not run) or is
    silent on its SSH port too (off) is left to EXPORTER-01 or LABEL-05 of that host and to Prometheus' own alerts.
    """
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")
    wanted = {(job, name) for job, hosts in machine.wanted["exporters"].items() for name in hosts}

    def complaints() -> list[str]:
        jobs = {*machine.wanted["exporters"], "roi"}
        targets = [t for t in ask(machine, "targets")["activeTargets"] if t["labels"]["job"] in jobs]
        found = {(t["labels"]["job"], instance(t)): t for t in targets}
        wrong = [f"{job} of {name} is not a target" for job, name in sorted(wanted - found.keys())]
        wrong += [f"{job} of {name} is a target, but not described" for job, name in sorted(found.keys() - wanted)]
        down = {t["scrapeUrl"]: t for t in targets if t["health"] != "up"}
        met = machine.fetch(*down) if down else {}
        up = {r["metric"]["instance"] for r in ask(machine, REACHED)["result"]} if down else set()
        there = [t for url, t in down.items() if answers(met[url]) or ("timed out" in met[url] and instance(t) in up)]
        return wrong + [f"{instance(t)} is {t['health']}: {t['lastError']}" for t in there]

    wrong = eventually(complaints, machine.wanted["scrape_interval_s"] * 1.2 + DISCOVERY_S)
    assert not wrong, "; ".join(wrong)
    record_property("evidence", f"every one of {len(wanted)} that answers is scraped")


@pytest.mark.control(id="MONITOR-04", severity="high", source="sparkfleet")
def test_alert_rules_are_loaded(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Every shipped alert is loaded and evaluates without error.

    The rules that the running Prometheus has.
    """
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")
    rules = [rule for group in ask(machine, "rules")["groups"] for rule in group["rules"]]
    broken = [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]
    missing = [f"{name} is not loaded" for name in machine.wanted["alerts"] if name not in {r["name"] for r in rules}]
    assert not broken + missing, f"{'; '.join(missing + broken)}\n{machine.journal(UNITS[PROMETHEUS], 3)}"
    record_property("evidence", f"{len(rules)} alerts are loaded")


@pytest.mark.control(id="MONITOR-05", severity="high", source="sparkfleet")
def test_prometheus_knows_alertmanager(machine: Machine) -> None:
    """Prometheus sends its alerts to the Alertmanager beside it.

    The Alertmanagers that the running Prometheus knows.
    """
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")

    def complaints() -> list[str]:
        known = [one["url"] for one in ask(machine, "alertmanagers")["activeAlertmanagers"]]
        return [] if any(url.startswith(ALERTMANAGER) for url in known) else [f"Prometheus knows {known or 'none'}"]

    wrong = eventually(complaints, DISCOVERY_S)
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="MONITOR-06", severity="high", source="sparkfleet")
def test_the_dead_mans_alert_reaches_alertmanager(
    machine: Machine, record_property: Callable[[str, Any], None]
) -> None:
    """The alert that always fires is in Alertmanager: the way of an alert is open from rule to route.

    A Prometheus that has just started sends it within a minute; until then it is enough that it fires.
    """
    if machine.wanted["evaluator"] != "prometheus":
        pytest.skip(f"alerts are evaluated by {machine.wanted['evaluator']}")
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")
    machine.need(UNITS[ALERTMANAGER], "MONITOR-01")
    seconds = machine.says("ps -o etimes= -p %s", machine.units[UNITS[PROMETHEUS]]["MainPID"])
    young = int(seconds) < RESEND_S + machine.wanted["scrape_interval_s"] * 2
    url = f"{PROMETHEUS}/api/v1/alerts" if young else f"{ALERTMANAGER}/api/v2/alerts"

    def complaints() -> list[str]:
        text = machine.fetch(url)[url]
        return [] if '"alertname":"Watchdog"' in text else [f"no Watchdog at {url}: {text[:200].strip()}"]

    wrong = eventually(complaints, machine.wanted["scrape_interval_s"] * 1.2 + DISCOVERY_S)
    assert not wrong, "; ".join(wrong)
    record_property("evidence", "it fires; Prometheus has just started" if young else "")


@pytest.mark.control(id="MONITOR-07", severity="medium", source="sparkfleet")
def test_samples_cannot_fill_the_disk(machine: Machine, record_property: Callable[[str, Any], None]) -> None:
    """Prometheus keeps samples for the described time, and never more of them than a share of its disk.

    The flags of the running Prometheus, and the size of its file system.
    """
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")
    flags = ask(machine, "status/flags")
    kept, size = flags["storage.tsdb.retention.time"], size_bytes(flags["storage.tsdb.retention.size"])
    disk = int(machine.says("df --block-size=1 --output=size %s | tail -n 1", flags["storage.tsdb.path"]))
    most = max(machine.wanted["storage_share"] * disk, SMALLEST_LIMIT)
    assert kept == machine.wanted["retention"], (
        f"samples are kept for {kept}, described is {machine.wanted['retention']}"
    )
    assert 0 < size <= most, f"Prometheus may fill {size} bytes (0: all) of {disk}, described are {most:.0f}"
    record_property("evidence", f"{kept}, at most {size / 2**30:.1f} GiB of {disk / 2**30:.0f}")


@pytest.mark.control(id="MONITOR-08", severity="medium", source="sparkfleet")
def test_every_host_is_probed(machine: Machine) -> None:
    """Every host of the fleet is asked from outside, by ping and on its SSH port: down is told from wedged.

    The targets of the running Prometheus, and whether they are answered.
    """
    machine.need(UNITS[PROMETHEUS], "MONITOR-01")

    def complaints() -> list[str]:
        targets = [t for t in ask(machine, "targets")["activeTargets"] if t["labels"]["job"] in PROBES]
        found = {(t["labels"]["job"], t["labels"]["instance"]): t for t in targets}
        missing = [
            f"{job} does not probe {n}" for job in PROBES for n in machine.wanted["hosts"] if (job, n) not in found
        ]
        return missing + [f"{job} of {n}: {t['lastError']}" for (job, n), t in found.items() if t["health"] != "up"]

    wrong = eventually(complaints, machine.wanted["scrape_interval_s"] * 1.2 + DISCOVERY_S)
    assert not wrong, "; ".join(wrong)
