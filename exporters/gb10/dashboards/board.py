"""Rows of panels → a dashboard with the variables, links and annotations that all of ours share → JSON.

board("Memory", "What it answers.", [("A row's title", [panel, panel])])
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableRefresh,
    VariableSort,
)

from exporters.gb10.dashboards.panels import DATASOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Dashboard as Model
    from grafana_foundation_sdk.models.dashboard import Panel

TAG = "sparkfleet"
UIDS = {"GB10 fleet": "gb10-fleet", "One Spark": "gb10-spark", "Memory": "gb10-memory", "Heat and power": "gb10-heat"}
"""Title → the id in links and bookmarks: for good."""


def board(
    title: str, answers: str, rows: Sequence[tuple[str, Sequence[Builder[Panel]]]], *, several: bool = True
) -> Model:
    """A dashboard of titled rows; panels flow from left to right. `several`: more than one Spark can be chosen."""
    found = (
        Dashboard(title)
        .uid(UIDS[title])
        .description(answers)
        .tags([TAG, "gb10"])
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_instance(several=several))
        .annotation(
            AnnotationQuery()
            .name("Alerts")
            .datasource(DATASOURCE)
            .icon_color("red")
            .expr('ALERTS{alertstate="firing",severity=~"page|ticket",instance=~"$instance"}')
        )
    )
    for other, uid in UIDS.items():
        if other != title:
            found.link(
                DashboardLink(other).type(DashboardLinkType.LINK).url(f"/d/{uid}").include_vars(True).keep_time(True)
            )
    for name, panels in rows:
        found.with_row(Row(name))
        for panel in panels:
            found.with_panel(panel)
    return found.build()


def as_json(model: Model) -> str:
    """The dashboard as Grafana takes it: sorted keys, panels numbered, so that a change shows as what it is."""
    found: dict[str, Any] = json.loads(JSONEncoder().encode(model))
    for number, panel in enumerate(found["panels"], 1):
        panel["id"] = number
    for annotation in found["annotations"]["list"]:
        # Fields of Prometheus annotations that the SDK's model does not know.
        annotation.update(titleFormat="{{alertname}}", textFormat="{{instance}}: {{severity}}", step="60s")
    return json.dumps(found, indent=1, sort_keys=True) + "\n"


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
