"""Rows of panels → a dashboard with the links and annotations that all of ours share → its JSON, as it is kept.

    board(About("Memory", "gb10-memory", "What it answers.", "gb10"), variable, SCOPE, [("A row", [panel, panel])])

In an expression `@memory_total_bytes` stands for the selector of one of our metrics, narrowed to what is chosen at the
top; labels may follow: `@power_rail_watts{rail="dc_input"}`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard, DatasourceVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync

from exporters.dashboards.panels import DATASOURCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grafana_foundation_sdk.builders.dashboard import QueryVariable
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Dashboard as Model
    from grafana_foundation_sdk.models.dashboard import Panel

    Rows = Sequence[tuple[str, Sequence[Builder[Panel]]]]

TAG = "sparkfleet"
SHORT = re.compile(r"@(\w+)(?:\{([^}]*)\})?")


@dataclass(frozen=True)
class About:
    """`uid`: the id in links and bookmarks, for good; `since`: how far back it looks at first."""

    title: str
    uid: str
    answers: str
    tag: str
    since: str = "now-6h"


@dataclass(frozen=True)
class Scope:
    """What `@` stands for. `narrowed`: matchers of every selector; `foreign`: metrics that have another prefix."""

    prefix: str
    narrowed: str
    foreign: tuple[str, ...] = ()

    def promql(self, short: str) -> str:
        """An expression with `@metric` → PromQL for what is chosen."""

        def selector(found: re.Match[str]) -> str:
            name = found[1] if found[1] in self.foreign else f"{self.prefix}_{found[1]}"
            return f"{name}{{{self.narrowed}{',' if found[2] else ''}{found[2] or ''}}}"

        return SHORT.sub(selector, short)


def board(about: About, variable: QueryVariable, scope: Scope, rows: Rows) -> Dashboard:
    """A dashboard of titled rows; panels flow from left to right. Links may be added before it is built."""
    found = (
        Dashboard(about.title)
        .uid(about.uid)
        .description(about.answers)
        .tags([TAG, about.tag])
        .time(about.since, "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(variable)
        .annotation(
            AnnotationQuery()
            .name("Alerts")
            .datasource(DATASOURCE)
            .icon_color("red")
            .expr(f'ALERTS{{alertstate="firing",severity=~"page|ticket",{scope.narrowed}}}')
        )
    )
    for name, panels in rows:
        found.with_row(Row(name))
        for panel in panels:
            found.with_panel(panel)
    return found


def as_json(model: Model, scope: Scope) -> str:
    """The dashboard as Grafana takes it: sorted keys, panels numbered, so that a change shows as what it is."""
    found: dict[str, Any] = json.loads(JSONEncoder().encode(model))
    for number, panel in enumerate(found["panels"], 1):
        panel["id"] = number
        for target in panel.get("targets", []):
            target["expr"] = scope.promql(target["expr"])
    for annotation in found["annotations"]["list"]:
        # Fields of Prometheus annotations that the SDK's model does not know.
        annotation.update(titleFormat="{{alertname}}", textFormat="{{instance}}: {{severity}}", step="60s")
    return json.dumps(found, indent=1, sort_keys=True) + "\n"
