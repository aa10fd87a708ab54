"""A title, plain words, queries and a unit → one panel, all in one style.

Units are Grafana's names of base units (bytes, celsius, watt, hertz, s, percentunit): a test derives from each query's
metric names which unit it must be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import (
    barchart,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from exporters.dashboards.limits import NOTHING_YET, Limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

Steps = list[Threshold]
Words = dict[int, tuple[str, str]]
"""A value → its word and its colour."""


@dataclass(frozen=True)
class Query:
    """One PromQL expression and how its series are called."""

    expr: str
    legend: str = "{{instance}}"


@dataclass(frozen=True)
class Column:
    """One column of a table: an instant query that gives one value a line."""

    title: str
    unit: str
    expr: str
    steps: Steps = field(default_factory=lambda: list(NOTHING_YET))
    words: Words = field(default_factory=dict)


def number(  # noqa: PLR0913  (each is one property of the panel)
    title: str,
    text: str,
    unit: str,
    expr: str,
    *,
    steps: Steps = NOTHING_YET,
    words: Words | None = None,
    decimals: int | None = None,
    no_value: str = "no data",
    instant: bool = False,
    span: int = 4,
) -> stat.Panel:
    """One big number, coloured where an alert has a limit; `instant`: what is so now, not what was last known."""
    target = _target("A", Query(expr, title))
    found = (
        stat.Panel()
        .title(title).description(text).datasource(DATASOURCE).unit(unit).span(span).height(4)
        .with_target(target.instant() if instant else target)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(BigValueColorMode.VALUE if steps is NOTHING_YET else BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.NONE)
        .thresholds(_steps(steps))
        .no_value(no_value)
        .mappings([_words(words)] if words else [])
    )  # fmt: skip
    return found.decimals(decimals) if decimals is not None else found


def lines(  # noqa: PLR0913  (each is one property of the panel)
    title: str,
    text: str,
    unit: str,
    *queries: Query,
    limit: Limit | None = None,
    stacked: bool = False,
    lowest: float | None = 0,
    highest: float | None = None,
    span: int = 12,
) -> timeseries.Panel:
    """Values over time; a dashed line stands where an alert has its limit."""
    found = (
        timeseries.Panel()
        .title(title).description(text).datasource(DATASOURCE).unit(unit).span(span).height(8)
        .line_width(1).fill_opacity(40 if stacked else 8).show_points(VisibilityMode.NEVER)
        # A gap in the data is a gap in the picture: nothing is drawn where nothing was measured.
        .span_nulls(False)
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
                .show_legend(True).calcs([]))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )  # fmt: skip
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        found.with_target(_target(letter, query))
    if stacked:
        found.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if limit:
        found.thresholds(_steps(limit.steps()))
        found.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
    if lowest is not None:
        found.min(lowest)
    return found.max(highest) if highest is not None else found


def states(
    title: str, text: str, words: Words, *queries: Query, span: int = 24, height: int = 6
) -> statetimeline.Panel:
    """What was when: one bar a series, each value with its word and colour."""
    found = (
        statetimeline.Panel()
        .title(title).description(text).datasource(DATASOURCE).unit("none").span(span).height(height)
        .mappings([_words(words)])
        .merge_values(True).show_value(VisibilityMode.AUTO).row_height(0.8).fill_opacity(80).line_width(0)
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
                .show_legend(False).calcs([]))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.SINGLE).sort(SortOrder.NONE))
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .thresholds(_steps(NOTHING_YET))
    )  # fmt: skip
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        found.with_target(_target(letter, query))
    return found


def per(  # noqa: PLR0913  (each is one property of the panel)
    title: str, text: str, columns: Sequence[Column], *, by: str, name: str, link: str = "", height: int = 8
) -> table.Panel:
    """A line for each value of the label `by`, called `name`: the columns' values side by side.

    A click on the name opens the dashboard `link` for it.
    """
    opens = [{"title": "Open it", "url": f"/d/{link}?var-{by}=${{__value.raw}}"}]
    found = (
        table.Panel().title(title).description(text).datasource(DATASOURCE).span(24).height(height).show_header(True)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}}))
        .override_by_name(by, [
            DynamicConfigValue("displayName", name), *([DynamicConfigValue("links", opens)] if link else []),
        ])
    )  # fmt: skip
    for letter, column in zip(ascii_uppercase, columns, strict=False):
        found.with_target(_instant(letter, column.expr))
        coloured = column.words or column.steps != NOTHING_YET
        found.override_by_name(f"Value #{letter}", [
            DynamicConfigValue("displayName", column.title),
            DynamicConfigValue("unit", column.unit),
            DynamicConfigValue("mappings", [_words(column.words)] if column.words else []),
            DynamicConfigValue("thresholds", _steps(column.steps).build()),
            DynamicConfigValue("custom.cellOptions", {"type": "color-background" if coloured else "auto"}),
        ])  # fmt: skip
    return found


def bars(title: str, text: str, unit: str, columns: Sequence[Column], *, by: str) -> barchart.Panel:
    """A group of bars for each value of the label `by`, in their order: one bar a column."""
    found = (
        barchart.Panel()
        .title(title).description(text).datasource(DATASOURCE).unit(unit).span(12).height(8).x_field(by).min(0)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}}))
        .with_transformation(DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": by}]}))
        .legend(common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
                .show_legend(True).calcs([]))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.NONE))
    )  # fmt: skip
    for letter, column in zip(ascii_uppercase, columns, strict=False):
        found.with_target(_instant(letter, column.expr))
        found.override_by_name(f"Value #{letter}", [
            DynamicConfigValue("displayName", column.title), DynamicConfigValue("unit", column.unit),
        ])  # fmt: skip
    return found


def labels(title: str, text: str, *exprs: str) -> table.Panel:
    """What stands in the labels of info metrics: versions, names; the value itself, always 1, is left out."""
    away = dict.fromkeys(["Time", "Value", "__name__", "job", *(f"Value #{x}" for x in "ABCDEFG")], True)
    found = (
        table.Panel().title(title).description(text).datasource(DATASOURCE).unit("none").span(24).height(5)
        .show_header(True)
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(DataTransformerConfig(id_val="organize", options={"excludeByName": away}))
    )  # fmt: skip
    for letter, expr in zip(ascii_uppercase, exprs, strict=False):
        found.with_target(_instant(letter, expr))
    return found


def alert_list(title: str, text: str) -> dashboard.Panel:
    """Firing and pending alerts, whoever evaluates them: Grafana's own panel, which asks no data source."""
    shown = {"firing": True, "pending": True, "error": True, "noData": False, "normal": False}
    return (
        dashboard.Panel().type("alertlist").title(title).description(text).span(24).height(6)
        .options({
            "viewMode": "list", "groupMode": "default", "maxItems": 20, "sortOrder": 3, "stateFilter": shown,
            "alertInstanceLabelFilter": '{severity=~"page|ticket"}',
        })
    )  # fmt: skip


def _target(letter: str, query: Query) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(letter).expr(query.expr).range().legend_format(query.legend)


def _instant(letter: str, expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(letter).expr(expr).instant().format(PromQueryFormat.TABLE)


def _steps(steps: Steps) -> dashboard.ThresholdsConfig:
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _words(words: Mapping[int, tuple[str, str]]) -> ValueMap:
    return ValueMap({str(v): ValueMappingResult(text=t, color=c) for v, (t, c) in words.items()})
