"""Rows of panels → one of the four dashboards of the Sparks, each with links to the others.

board("Memory", "What it answers.", [("A row's title", [panel, panel])])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import DashboardLink, QueryVariable
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, VariableRefresh, VariableSort

from exporters.dashboards import board as shared
from exporters.dashboards.panels import DATASOURCE

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

    from exporters.dashboards.board import Rows

SCOPE = shared.Scope("sparkfleet_gb10", 'instance=~"$instance"', foreign=("up", "probe_success"))
UIDS = {"GB10 fleet": "gb10-fleet", "One Spark": "gb10-spark", "Memory": "gb10-memory", "Heat and power": "gb10-heat"}
"""Title → the id in links and bookmarks: for good."""


def board(title: str, answers: str, rows: Rows, *, several: bool = True) -> Dashboard:
    """A dashboard of titled rows. `several`: more than one Spark can be chosen."""
    found = shared.board(shared.About(title, UIDS[title], answers, "gb10"), _instance(several=several), SCOPE, rows)
    for other, uid in UIDS.items():
        if other != title:
            found.link(
                DashboardLink(other).type(DashboardLinkType.LINK).url(f"/d/{uid}").include_vars(True).keep_time(True)
            )
    return found.build()


def _instance(*, several: bool) -> QueryVariable:
    """Which Spark. From `up`, so that one whose exporter is down can be chosen too."""
    found = (
        QueryVariable("instance")
        .label("Spark")
        .datasource(DATASOURCE)
        .query('label_values(up{job="gb10"}, instance)')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )
    return found.multi(True).include_all(True) if several else found
