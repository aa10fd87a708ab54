"""The dashboard and the rules against a real Prometheus that scrapes the real exporter; Grafana itself is not here."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporters.roi.dashboards import loop
from exporters.roi.dashboards.__main__ import FILE, rendered
from tests.exporters import promql
from tests.exporters.roi.board import BOARD, PANELS, QUERIES, Asked, filled_in
from tests.exporters.roi.watched import watched as projects_watched
from tests.exporters.running import CHECKOUT
from tests.exporters.scraped import RULES, Prometheus
from tests.workloads.label.returns.archive import NOW as THEN
from tests.workloads.label.returns.archive import known, params
from workloads.label.returns import compare
from workloads.label.returns.figures import Known, figures

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = 24
# What a project may lack, and then says so: at its place a panel is empty for one without reviews.
ALWAYS = re.compile(r"items\{|month_\w+_items|items_published|waiting_reviews|least_reviews|models_delivered|utiliz")


def rules() -> dict[str, dict[str, Any]]:
    """Every rule of ours by its name."""
    read = [yaml.safe_load((CHECKOUT / "exporters/roi" / name).read_text()) for name in RULES]
    every = [rule for file in read for group in file["groups"] for rule in group["rules"]]
    return {str(rule.get("alert") or rule["record"]): rule for rule in every}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A project with every figure, whose last review was yesterday, and one without a review."""
    now = dt.datetime.now(dt.UTC)
    empty = params().model_copy(update={"name": "invoices"})
    texts = {
        "contracts": shifted(figures(params(), known(), THEN).model_dump_json(), now - THEN),
        "invoices": figures(empty, Known(items=known().items[:5]), now).model_dump_json(),
    }
    with projects_watched(tmp_path_factory.mktemp("watched"), texts) as found:
        yield found


def shifted(text: str, by: dt.timedelta) -> str:
    """The figures with every date later."""
    date = re.compile(r'"(\d{4}-\d\d-\d\dT[^"]+)"')
    return date.sub(lambda found: f'"{(dt.datetime.fromisoformat(found[1]) + by).isoformat()}"', text)


def test_every_panel_has_data(watched: Prometheus) -> None:
    """Of a project that has every figure no query of any panel is answered with nothing."""
    assert not [str(query) for query in QUERIES if not watched.series(filled_in(query.expression))]


def test_what_a_project_lacks_is_shown_as_lacking(watched: Prometheus) -> None:
    """Of one without a review all queries are valid, and only what it has is told: its backlog, and the GPUs."""
    told = [query for query in QUERIES if watched.series(filled_in(query.expression, "invoices"))]
    of_one = [query for query in told if query.panel != "Projects"]
    assert not [str(query) for query in of_one if not ALWAYS.search(query.expression)]
    lacking = {query.panel for query in QUERIES} - {query.panel for query in told}
    for panel in PANELS:
        if panel["type"] == "stat" and panel["title"] in lacking:
            assert panel["fieldConfig"]["defaults"]["noValue"] not in {"", "0"}


def test_the_latency_on_the_dashboard_is_that_of_the_records(watched: Prometheus) -> None:
    """First correction, begin of serving and what lies between them, as the promotion recorded them."""
    last = figures(params(), known(), THEN).deliveries[-1]
    panel = {query.letter: query.expression for query in QUERIES if query.panel == "Models"}
    first, serving, took = (
        {one["metric"]["model"]: float(one["value"][1]) for one in watched.series(filled_in(panel[letter]))}[last.model]
        for letter in "ABC"
    )
    assert took == (last.serving_at - last.first_review_at).total_seconds() == last.seconds
    assert serving - first == pytest.approx(took * 1000)
    (stat,) = [query.expression for query in QUERIES if query.panel == "Last model took"]
    assert float(watched.series(filled_in(stat))[0]["value"][1]) == took


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_the_unit_follows_from_the_metrics_names(query: Asked) -> None:
    """What the names and PromQL say is in the answer is what the panel labels it with."""
    assert query.unit == promql.GRAFANA[promql.unit(query.expression)], query.expression


def test_what_a_rule_looks_at_exists(watched: Prometheus) -> None:
    """Each selector of each rule finds a series: no rule is deaf; and nothing is asked for that nobody tells."""
    for rule in rules().values():
        for selector in promql.selectors(rule["expr"]):
            assert watched.series(str(selector)), selector
    for name in rules():
        assert name in {
            "ModelLatencyTooLong",
            "ReviewsUnchecked",
            "LabelLoopSilent",
            "RecurringRunFailed",
            "LabelRecordsNotKept",
        } or watched.series(name), name


def test_no_alert_fires_for_a_project_that_is_well(watched: Prometheus) -> None:
    """Nor for one that has not begun."""
    for name, rule in rules().items():
        if "alert" in rule and name != "ModelLatencyTooLong":
            assert not watched.series(rule["expr"]), name
    late = watched.series(rules()["ModelLatencyTooLong"]["expr"])
    assert {one["metric"]["project"] for one in late} == {"contracts"}  # 30 days: the made-up project is late indeed


@pytest.mark.parametrize("name", [name for name, rule in rules().items() if "record" in rule])
def test_a_recording_rule_adds_up(name: str) -> None:
    """Its expression does not mix units, and its name says which one comes out."""
    assert promql.unit(rules()[name]["expr"]) == promql.unit(f'{name}{{a="b"}}')


def test_the_json_is_what_the_code_makes() -> None:
    """`python -m exporters.roi.dashboards` changes nothing."""
    assert rendered() == FILE.read_text()


@pytest.mark.parametrize("limit", loop.LIMITS, ids=lambda limit: limit.alert)
def test_a_colour_begins_where_the_alert_fires(limit: Any) -> None:
    """The number of each coloured limit stands in the expression of the alert that it names, and in the dashboard."""
    assert limit.value in promql.constants(rules()[limit.alert]["expr"])
    assert f'"value": {limit.value}' in FILE.read_text()


def test_the_board_says_how_many_reviews_a_comparison_needs() -> None:
    """The numbers in the texts are those of the code."""
    needs = f"at least {compare.LEAST_REVIEWS} timed reviews of {compare.LEAST_DOCUMENTS} documents"
    assert needs in next(panel["description"] for panel in PANELS if panel["title"].startswith("Throughput"))


def test_no_figure_stands_without_its_n() -> None:
    """Each table has a column of n, each row of numbers one that is called n, each bar chart one of n beside it."""
    row, rows = "", {}
    for panel in BOARD["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        rows.setdefault(row, []).append(panel)
    for title, panels in rows.items():
        names = [panel["title"] for panel in panels]
        if any(panel["type"] == "stat" for panel in panels):
            assert any(re.match(r"n \w", name) for name in names), title
        for panel in panels:
            shown = [p["value"] for o in panel.get("fieldConfig", {}).get("overrides", [])
                     for p in o["properties"] if p["id"] == "displayName"]  # fmt: skip
            if panel["type"] == "table" and panel["title"] != "Models":  # each line of it is one model: n is 1
                assert any(name.startswith("n ") for name in shown), panel["title"]


def test_panels_lie_side_by_side() -> None:
    """Nothing overlaps or sticks out of the 24 columns, and every line is filled to its end."""
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert taken == {(x, y) for x in range(COLUMNS) for y in range(max(y for _, y in taken) + 1)}


def test_each_panel_says_what_it_shows() -> None:
    """In a sentence; and no column of a table is lost for want of a letter."""
    for panel in PANELS:
        assert panel["description"].endswith((".", "?")), panel["title"]
    assert len([q for q in QUERIES if q.panel == "Projects"]) == len(loop._projects())
