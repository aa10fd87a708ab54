"""The dashboards and the rules against a real Prometheus that scrapes the real exporter on simulated Sparks.

Grafana itself is not here: what only it can show (that panels draw, that a click leads on) is checked by nobody.
"""

from __future__ import annotations

import json
import math
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporters.gb10.dashboards.__main__ import rendered
from exporters.gb10.dashboards.limits import LIMITS
from sparkfleet.monitoring import grafana
from tests.exporters import promql
from tests.exporters.gb10.watched import watched as machines_watched
from tests.exporters.running import CHECKOUT
from tests.exporters.scraped import RULES, Prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = CHECKOUT / "exporters/gb10/dashboards"
BOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
VARIABLES = {"$instance": ".*", "$__rate_interval": "5s"}
SCENARIOS = ("idle", "stress", "stuck-low-power", "memory-wedge", "xid-119", "unclean-boots")
COLUMNS = 24

# A GB10 has none of these (no PCIe link of its own, no memory of its own, no readable fan, no memory clock counter).
LACKING = re.compile(r"pcie|vram|fan|memory_clock|memory clock|bandwidth|framebuffer", re.IGNORECASE)

NOT_SIMULATED: dict[str, str] = {}
"""Metric → why no scenario can make it appear here; at its place a query may be empty."""


@dataclass(frozen=True)
class Asked:
    """One query of one panel, with the unit that the panel gives its answer."""

    board: str
    panel: str
    letter: str
    expression: str
    unit: str

    def __str__(self) -> str:
        """How the test of it is called."""
        return f"{self.board}: {self.panel} {self.letter}"


def panels(board: str) -> list[dict[str, Any]]:
    """The panels of a dashboard that show something."""
    return [panel for panel in BOARDS[board]["panels"] if panel["type"] != "row"]


def filled_in(text: str) -> str:
    """A query with its variables replaced."""
    for name, value in VARIABLES.items():
        text = text.replace(name, value)
    assert "$" not in text, text
    return text


def unit_of(panel: dict[str, Any], letter: str) -> str:
    """The unit of one query: the panel's, or in a table the one of its column."""
    for override in panel["fieldConfig"].get("overrides", []):
        if override["matcher"]["options"] == f"Value #{letter}":
            return str(next(p["value"] for p in override["properties"] if p["id"] == "unit"))
    return str(panel["fieldConfig"]["defaults"]["unit"])


def asked() -> Iterator[Asked]:
    """Every query of every panel, and of every annotation."""
    for board in BOARDS:
        for panel in panels(board):
            for target in panel.get("targets", []):
                letter = target["refId"]
                yield Asked(board, panel["title"], letter, filled_in(target["expr"]), unit_of(panel, letter))


def rules() -> dict[str, dict[str, Any]]:
    """Every rule of ours by its name."""
    read = [yaml.safe_load((CHECKOUT / "exporters/gb10" / name).read_text()) for name in RULES]
    every = [rule for file in read for group in file["groups"] for rule in group["rules"]]
    return {str(rule.get("alert") or rule["record"]): rule for rule in every}


QUERIES = list(asked())
SELECTORS = sorted({" ".join(str(s).split()) for rule in rules().values() for s in promql.selectors(rule["expr"])})


@pytest.fixture(scope="module")
def watched(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus and its Sparks, one a scenario."""
    with machines_watched(tmp_path_factory.mktemp("watched"), built, SCENARIOS) as found:
        yield found


def grafana_fires(watched: Prometheus, rule: dict[str, Any], moment: float) -> set[frozenset[tuple[str, str]]]:
    """The series for which Grafana's steps end above their threshold, by its documentation of the functions."""
    query, math_step, threshold = (step["model"] for step in rule["data"])
    assert rule["condition"] == threshold["refId"]
    assert (math_step["refId"], query["refId"]) == (threshold["expression"], "query")
    tests = {"is_nan": math.isnan, "is_inf": math.isinf, "is_number": math.isfinite}
    used = re.findall(r"(\w+)\(\$query\)", math_step["expression"])
    assert math_step["expression"] == " || ".join(f"{name}($query)" for name in used)
    (limit,) = threshold["conditions"][0]["evaluator"]["params"]
    found = set()
    for series in watched.series(query["expr"], moment):
        value = float(series["value"][1])
        if float(any(tests[name](value) for name in used)) > limit:
            found.add(frozenset(series["metric"].items()))
    return found


def excused(expression: str) -> bool:
    """Whether the expression names a metric that cannot appear here."""
    return any(selector.name in NOT_SIMULATED for selector in promql.selectors(expression))


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_every_panel_has_data(watched: Prometheus, query: Asked) -> None:
    """The query of the panel, its variables filled in, is answered with at least one series."""
    assert excused(query.expression) or watched.answer(query.expression), query.expression


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_the_unit_follows_from_the_metrics_names(query: Asked) -> None:
    """What the names and PromQL say is in the answer is what the panel labels it with."""
    assert query.unit == promql.GRAFANA[promql.unit(query.expression)], query.expression


@pytest.mark.parametrize("selector", SELECTORS)
def test_what_a_rule_looks_at_exists(watched: Prometheus, selector: str) -> None:
    """Each selector of each alert and recording rule finds a series in some scenario: no rule is deaf."""
    assert excused(selector) or watched.answer(selector), selector


@pytest.mark.parametrize("name", [name for name, rule in rules().items() if "record" in rule])
def test_a_recording_rule_adds_up(name: str) -> None:
    """Its expression does not mix units, and its name says which one comes out."""
    found = promql.unit(rules()[name]["expr"])
    assert found in {"ratio", "bytes", "celsius", "joules", "count", "watts"}
    assert found == "count" or f"_{found}:" in name


def test_the_exporter_has_every_metric_that_is_asked_for(watched: Prometheus) -> None:
    """No dashboard and no rule names a metric that nobody scrapes; nobody is excused for one that is there."""
    expressions = [query.expression for query in QUERIES] + [rule["expr"] for rule in rules().values()]
    named = {s.name for expression in expressions for s in promql.selectors(expression)} - {"ALERTS"}
    there = set(watched.values("__name__"))

    assert named - there - set(NOT_SIMULATED) == set()
    assert set(NOT_SIMULATED) & there == set()


@pytest.mark.parametrize("board", BOARDS)
def test_the_variables_offer_every_spark(watched: Prometheus, board: str) -> None:
    """The list of Sparks has all of them, the one that is down too; the other variable is a kind of data source."""
    kinds = {variable["name"]: variable for variable in BOARDS[board]["templating"]["list"]}
    metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", kinds["instance"]["query"]).groups()

    assert watched.answer(metric)
    assert set(watched.values(label, metric)) == {*SCENARIOS, "switched-off"}
    assert kinds["datasource"]["query"] == "prometheus"


@pytest.mark.parametrize("name", [name for name, rule in rules().items() if "alert" in rule])
def test_grafana_fires_where_prometheus_fires(watched: Prometheus, name: str) -> None:
    """The steps of the rendered rule, asked of Prometheus at the same moment, fire for the same series."""
    watched.answer('ALERTS{alertname="Watchdog"}')
    moment = time.time()
    original = {frozenset(found["metric"].items()) for found in watched.series(rules()[name]["expr"], moment)}

    assert grafana_fires(watched, grafana.rule(rules()[name]), moment) == original


def test_a_rule_whose_value_is_zero_fires_in_grafana(watched: Prometheus) -> None:
    """`up == 0` is the trap: a threshold on the value itself would never fire. Values that are no number fire too."""
    watched.answer("up == 0")
    for expression in ("up == 0", "up * 0 / 0", "vector(-1)", "up / 0"):
        rule = grafana.rule({"alert": "Trap", "expr": expression})
        moment = time.time()
        assert len(grafana_fires(watched, rule, moment)) == len(watched.series(expression, moment)) > 0


def test_alerts_show_in_the_dashboards(watched: Prometheus) -> None:
    """The dead man's alert fires, so the count of firing alerts is a number; the annotations' query is valid."""
    assert watched.answer('ALERTS{alertname="Watchdog",alertstate="firing"}')
    for board in BOARDS.values():
        for annotation in board["annotations"]["list"]:
            watched.series(filled_in(annotation["expr"]))


def test_the_json_is_what_the_code_makes() -> None:
    """`python -m exporters.gb10.dashboards` changes nothing."""
    assert rendered() == {path.name: path.read_text() for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.alert} {limit.value}")
def test_a_line_is_drawn_where_the_alert_fires(limit: Any) -> None:
    """The number of each coloured limit stands in the expression of the alert that it names, and in a dashboard."""
    assert limit.value in promql.constants(rules()[limit.alert]["expr"])
    assert f'"value": {limit.value}' in "".join(path.read_text() for path in FOLDER.glob("*.json"))


@pytest.mark.parametrize("board", BOARDS)
def test_panels_lie_side_by_side(board: str) -> None:
    """Nothing overlaps or sticks out of the 24 columns, every line is filled to its end, titles lie on top."""
    taken: dict[tuple[int, int], str] = {}
    for panel in BOARDS[board]["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken.keys(), f"{panel['title']} lies on {next(taken[c] for c in cells & taken.keys())}"
        taken |= dict.fromkeys(cells, panel["title"])
    rows = {y for _, y in taken}
    assert rows == set(range(max(rows) + 1))
    assert {(x, y) for x in range(COLUMNS) for y in rows} == taken.keys()


@pytest.mark.parametrize("board", BOARDS)
def test_a_dashboard_explains_itself(board: str) -> None:
    """Each panel says in a sentence what it shows, has a number of its own, and shows nothing that a GB10 lacks."""
    for panel in panels(board):
        assert panel["description"].endswith((".", "?")), panel["title"]
        asked_for = [panel["title"], *(target["expr"] for target in panel.get("targets", []))]
        assert not [text for text in asked_for if LACKING.search(text)]
    numbers = [panel["id"] for panel in BOARDS[board]["panels"]]
    assert numbers == sorted(set(numbers))


def test_links_lead_to_dashboards_of_ours() -> None:
    """Each of the four leads to the other three, with the chosen Sparks and the time."""
    uids = {board["uid"] for board in BOARDS.values()}
    assert len(uids) == len(BOARDS)
    for board in BOARDS.values():
        assert {link["url"] for link in board["links"]} == {f"/d/{uid}" for uid in uids - {board["uid"]}}
        assert all(link["includeVars"] and link["keepTime"] for link in board["links"])
    assert '"/d/gb10-spark?var-instance=${__value.raw}"' in (FOLDER / "fleet.json").read_text()
