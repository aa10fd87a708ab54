"""Who is told what, as an Alertmanager configuration: one tree of routes and inhibitions for every Alertmanager. Pure.

The monitor's Alertmanager tells webhooks; AMP's has the same tree over other receivers (`monitoring.amp`).

    page                   → page, and remediation        repeated hourly, all hosts of one fault in one message
    ticket                 → ticket, and remediation      repeated daily
    info, and the rest     → nowhere: dashboards show it
    Watchdog               → deadman                      every one to two minutes: its hearer pages when it stops
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparkfleet.monitoring.rules import dumped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.telemetry import Receivers

RECEIVERS = ("page", "ticket", "remediation", "deadman")
NOWHERE = "nowhere"

ROUTE: dict[str, Any] = {
    "receiver": NOWHERE,
    "group_by": ["alertname", "instance"],
    "group_wait": "10s",
    "group_interval": "1m",
    "repeat_interval": "4h",
    "routes": [
        {
            "matchers": ['alertname="Watchdog"'],
            "receiver": "deadman",
            "group_by": ["alertname"],
            "group_wait": "0s",
            # A notification can be repeated only when a group is looked at: so often, for a beat a minute.
            "group_interval": "30s",
            "repeat_interval": "1m",
        },
        # A machine acts on one host at a time, and so gets a message a host.
        {"matchers": ['severity=~"page|ticket"'], "receiver": "remediation", "continue": True},
        # A fault that many hosts have at once (heat, a bad driver) is one page, not thirty.
        {"matchers": ['severity="page"'], "receiver": "page", "group_by": ["alertname"], "repeat_interval": "1h"},
        {"matchers": ['severity="ticket"'], "receiver": "ticket", "group_by": ["alertname"], "repeat_interval": "24h"},
    ],
}

# What follows from something worse on the same host is not told. `equal` takes two missing labels for equal, so a
# source without an instance or a component must not be able to match.
INHIBITIONS: list[dict[str, Any]] = [
    {  # a host that is off has no exporter, no GPU and no SSH
        "source_matchers": ['alertname="Gb10HostDown"', 'instance!=""'],
        "target_matchers": ['alertname!="Gb10HostDown"', 'severity!="none"'],
        "equal": ["instance"],
    },
    {  # it answers pings alone: the exporters and NVML are silent with everything else
        "source_matchers": ['alertname="Gb10HostWedged"', 'instance!=""'],
        "target_matchers": ['alertname=~"Gb10ExporterDown|Gb10NvmlStuck|Gb10CollectorFailing|Gb10ClockDrift"'],
        "equal": ["instance"],
    },
    {  # a driver that blocks tells nothing of the GPU; that it is lost would be a guess
        "source_matchers": ['alertname="Gb10NvmlStuck"', 'instance!=""'],
        "target_matchers": ['alertname=~"Gb10GpuLost|Gb10StuckLowPower|Gb10ClockCapLost|Gb10CollectorFailing"'],
        "equal": ["instance"],
    },
    {  # who is paged about a part of a host needs no ticket about it
        "source_matchers": ['severity="page"', 'instance!=""', 'component!=""'],
        "target_matchers": ['severity="ticket"'],
        "equal": ["instance", "component"],
    },
]


def configuration(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The whole configuration. `told`: receiver → its integrations; a receiver that is not there is told nothing."""
    receivers = [{"name": name, **told.get(name, {})} for name in (*RECEIVERS, NOWHERE)]
    return {"route": ROUTE, "inhibit_rules": INHIBITIONS, "receivers": receivers}


def for_webhooks(receivers: Receivers) -> str:
    """The monitor's alertmanager.yml as text: each described webhook is told, resolved alerts too."""
    addresses = {name: getattr(receivers, name).webhook for name in RECEIVERS}
    told = {
        name: {"webhook_configs": [{"url": url, "send_resolved": name != "deadman"}]}
        for name, url in addresses.items()
        if url
    }
    return dumped(configuration(told))
