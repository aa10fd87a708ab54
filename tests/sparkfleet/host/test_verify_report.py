"""What `spark verify` leaves for machines and readers: JUnit, JSON, a page; also of a hostile host."""

from __future__ import annotations

import datetime as dt
from xml.etree import ElementTree as ET

import pytest

from sparkfleet.errors import SparkfleetError
from sparkfleet.host import verify_report as report
from sparkfleet.host.verdicts import Verdict, parse

WHEN = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
NAMES = ["spark-01", "spark-02", "spark-03"]
SILENT = {"spark-03": "spark-03 cannot be reached (192.0.2.3 port 22: timed out)."}
HOSTILE = "\x1b]0;owned\x07</testcase><script>alert(1)</script>\x00\u202e &amp; ]]>"


def verdict(host: str, id_: str, outcome: str, detail: str = "") -> Verdict:
    """A verdict with a title that names its id."""
    said = {"severity": "high", "title": f"Title of {id_}.", "source": "CIS 5.1.20", "seconds": 0.25}
    return parse({"verdicts": [{"host": host, "id": id_, "outcome": outcome, "detail": detail, **said}]})[0]


VERDICTS = [
    verdict("spark-01", "ACCESS-01", "failed", f"found\n{HOSTILE}"),
    verdict("spark-01", "ACCESS-02", "waived", "waived until 2027-01-01: a reason"),
    verdict("spark-01", "BASE-10", "skipped", "no driver"),
    verdict("spark-02", "ACCESS-01", "passed", "evidence"),
]


def test_junit_has_a_suite_a_host() -> None:
    """Counts, reasons and properties stand where CI looks for them; a host that was not reached is an error."""
    suites = {suite.get("name"): suite for suite in ET.fromstring(report.junit(NAMES, VERDICTS, SILENT))}  # noqa: S314
    counts = [[suites[n].get(k) for k in ("tests", "failures", "errors", "skipped")] for n in NAMES]
    assert counts == [["3", "1", "0", "2"], ["1", "0", "0", "0"], ["1", "0", "1", "0"]]
    assert suites["spark-01"].get("time") == "0.750"
    case = suites["spark-01"].find("testcase[@name='ACCESS-01 Title of ACCESS-01.']")
    assert case is not None
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties == {"id": "ACCESS-01", "severity": "high", "source": "CIS 5.1.20"}
    skipped = [found.get("message") for found in suites["spark-01"].iter("skipped")]
    assert skipped == ["waived until 2027-01-01: a reason", "no driver"]
    error = suites["spark-03"].find("testcase/error")
    assert error is not None
    assert error.get("message") == SILENT["spark-03"]


def test_what_a_host_says_breaks_neither_xml_nor_page_nor_terminal() -> None:
    """Tags, controls, direction marks and the end of a CDATA section arrive as text, or as question marks."""
    xml = report.junit(NAMES, VERDICTS, SILENT)
    failure = ET.fromstring(xml).find(".//failure")  # noqa: S314  (our own text)
    assert failure is not None
    assert failure.text is not None
    assert "</testcase><script>" in failure.text
    page = report.page("office", WHEN, NAMES, VERDICTS, SILENT)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    for text in (xml, page, VERDICTS[0].detail):
        assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(text)


def test_the_document_counts_checks_of_hosts() -> None:
    """`--json` holds every verdict, the silent hosts with their reason, and a summary without notes about waivers."""
    note = Verdict("", "ACESS-01", "low", "", "skipped", "no check")
    found = report.document("office", WHEN, [*VERDICTS, note], SILENT)
    assert found["summary"] == {"failed": 1, "waived": 1, "skipped": 1, "passed": 1}
    assert found["verdicts"] == [v.as_dict() for v in [*VERDICTS, note]]
    assert found["unreachable"] == SILENT


def test_the_page_begins_with_what_failed() -> None:
    """Failures with their evidence, then waivers, then each host; a silent host says why it is empty."""
    page = report.page("office", WHEN, NAMES, VERDICTS, SILENT)
    parts = ["1 failed", "1 not reached", 'id="failed"', "Title of ACCESS-01.", 'id="waived"', "2027-01-01"]
    parts += ['id="spark-01"', "no driver", 'id="spark-02"', "evidence", 'id="spark-03"', "timed out"]
    assert [part for part in parts if part not in page] == []
    assert [page.index(part) for part in parts] == sorted(page.index(part) for part in parts)


@pytest.mark.parametrize("entry", [{"host": "x"}, {"detail": 5}, "x"])
def test_a_report_of_another_form_is_refused(entry: object) -> None:
    """What is no verdict raises, instead of standing somewhere as one."""
    with pytest.raises(SparkfleetError, match="cannot be read"):
        parse({"verdicts": [entry]})
