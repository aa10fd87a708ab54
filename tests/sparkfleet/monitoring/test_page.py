"""A fleet's status and history → one page: whole, harmless, the same for the same answers."""

from __future__ import annotations

import dataclasses
import math
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import UndefinedError

from sparkfleet import report
from sparkfleet.monitoring.decide import status
from sparkfleet.monitoring.history import History, Line, Plot, Threshold
from sparkfleet.monitoring.page import page
from sparkfleet.monitoring.plots import described, svg
from sparkfleet.monitoring.status import Answers
from tests.sparkfleet.told import ASKED, NOW_S, alert, fleet, machine

if TYPE_CHECKING:
    from sparkfleet.monitoring.status import FleetStatus

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>$a$'
VOID = {"meta", "br", "img", "link"}
POINTS = tuple((NOW_S - 600 + 15 * n, math.nan if n == 20 else 40.0 + n) for n in range(41))
POWER = Plot("Power", "W", (Line("GPU", POINTS),), (Threshold("Gb10Hot", 93.0),))
HISTORY = History(NOW_S - 600, NOW_S, {"spark-01": (POWER, dataclasses.replace(POWER, title="Temperature"))})


class Reader(HTMLParser):
    """What a browser would see: elements, their attributes, and whether every one is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed already."""
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """It closes the last one."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """What is read."""
        self.texts.append(data)

    def attributes(self, *names: str) -> list[str]:
        """Every value of these attributes."""
        return [value or "" for _, attrs in self.seen for name, value in attrs.items() if name in names]


def made(
    found: FleetStatus | None = None, history: History = HISTORY, source: str = "at http://192.0.2.1:9090"
) -> Reader:
    """The page, read."""
    return Reader(page(found or status(ASKED, fleet()), history, source))


def test_a_page_has_every_host_with_its_facts_and_its_label() -> None:
    """What the table shows, and whether it is simulated."""
    text = " ".join(" ".join(made().texts).split())

    for shown in (*ASKED.hosts, "simulated", "wedged", "95 %", "TSOC 96 °C", "2.49 GHz", "VLLM::EngineCore 68 GiB +1",
                  "last heard of 7 min ago", "2027-01-15 08:00:00 UTC", "not watched"):  # fmt: skip
        assert shown in text


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    """One file: no script, no image, no style sheet; links lead to hosts of the page and to runbooks only."""
    found = made()

    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in found.seen}
    assert not [name for _, attrs in found.seen for name in attrs if name.startswith("on")]
    assert set(found.attributes("src", "action")) == set()
    assert {h for h in found.attributes("href") if not h.startswith("#")} == {"https://docs.example/Gb10Hot"}
    assert "url(" not in re.sub(r"url\(#", "", page(status(ASKED, fleet()), HISTORY, "here"))
    assert "default-src 'none'; style-src 'unsafe-inline'" in found.attributes("content")


def test_names_that_others_chose_never_become_markup() -> None:
    """A process, a GPU, a machine, an alert, a line of a plot, the source: all are text."""
    samples = [
        dataclasses.replace(
            s, labels={k: HOSTILE if k in {"process", "product_name", "driver"} else v for k, v in s.labels.items()}
        )
        for s in machine("spark-01")
    ]
    rule = alert(HOSTILE, "spark-01", HOSTILE, summary=HOSTILE, description=HOSTILE, runbook_url=HOSTILE)
    found = status(ASKED, Answers(NOW_S, samples, {"spark-01": NOW_S}, rules=(rule,)))
    plot = Plot("Power", "W", (Line(HOSTILE, POINTS),), (Threshold(HOSTILE, 50.0),))
    shown = made(found, History(NOW_S - 600, NOW_S, {"spark-01": (plot,)}), HOSTILE)

    assert {tag for tag, _ in shown.seen} & {"script", "img"} == set()
    assert "".join(shown.texts).count("<script>alert(1)</script>") >= 7


def test_a_runbook_that_is_no_web_address_is_no_link() -> None:
    """`javascript:` in an annotation is shown, not followed."""
    assert "javascript:alert(1)" in "".join(made().texts)
    assert [report.link(url) for url in ("javascript:x", "//x", "https://[x", "docs/a.md", "https://x/a")] == [
        None, None, None, None, "https://x/a",
    ]  # fmt: skip


def test_a_page_is_the_same_for_the_same_answers_and_has_each_id_once() -> None:
    """Drawings carry no date and no counter; a page with many plots is still valid HTML."""
    one, two = (page(status(ASKED, fleet()), HISTORY, "here") for _ in range(2))
    ids = Reader(one).attributes("id")

    assert one == two
    assert len(ids) == len(set(ids))


def test_plots_say_in_words_what_they_show() -> None:
    """For those who do not see them."""
    found = made()
    drawings = [attrs for tag, attrs in found.seen if tag == "svg"]

    assert len(drawings) == 2
    assert all(attrs["role"] == "img" for attrs in drawings)
    assert "Power of spark-01" in found.texts
    assert described(POWER) == "GPU 40 to 80, last 80 W; Gb10Hot at 93 W"
    assert "GPU 40 to 80, last 80 W; Gb10Hot at 93 W" in found.texts


def test_a_gap_in_the_data_is_a_gap_in_the_line() -> None:
    """The line is lifted where a value is missing, not drawn across."""
    whole = dataclasses.replace(POWER, lines=(Line("GPU", tuple(p for p in POINTS if math.isfinite(p[1]))),))

    strokes = [
        re.findall(r'<path d="([^"]*)"[^>]*var\(--s1\)', svg(plot, HISTORY, "spark-01")) for plot in (POWER, whole)
    ]
    assert [max(d.count("M") for d in found) for found in strokes] == [2, 1]


def test_a_plot_is_drawn_in_the_pages_colours_with_texts_as_texts() -> None:
    """One drawing for light, dark and paper; units and thresholds can be read, and found by a search."""
    drawn = svg(POWER, HISTORY, "spark-01")

    assert not re.search(r"#0[0-9a]0[0-9]0[0-9]", drawn)
    assert "<metadata" not in drawn
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    assert {"W", "UTC", "GPU", "Gb10Hot 93"} <= set(texts)
    assert len(drawn) < 12_000


def test_the_time_at_the_end_of_a_plot_is_not_cut_off() -> None:
    """Half of what is written there, five figures of 8 points, has room to the right of the axis."""
    hour_s = NOW_S // 3600 * 3600
    drawn = svg(POWER, dataclasses.replace(HISTORY, start_s=hour_s - 600, end_s=hour_s), "spark-01")
    (width,) = map(float, re.findall(r'viewBox="0 0 (\S+)', drawn))
    times = re.findall(r'<text[^>]* x="([^"]+)"[^>]*>\d\d:00</text>', drawn)

    assert float(times[-1]) + 13 <= width


def test_a_fleet_without_data_has_a_page_without_plots() -> None:
    """The first minute after provisioning: every host is there, no figure is."""
    found = made(status(ASKED, Answers(NOW_S)), History(NOW_S - 600, NOW_S, {"spark-01": (Plot("Power", "W", ()),)}))
    text = " ".join("".join(found.texts).split())

    assert "svg" not in {tag for tag, _ in found.seen}
    assert "no data yet" in text
    assert "the plots fill from the right" in text
    assert " 0 W" not in text


def test_a_name_that_nobody_gave_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A template never shows a hole."""
    (tmp_path / "x.j2").write_text("{{ missing }}")
    monkeypatch.setattr(report, "PAGES", tmp_path)

    with pytest.raises(UndefinedError):
        report.render("x.j2")
