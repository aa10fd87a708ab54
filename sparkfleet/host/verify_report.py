"""Verdicts of the compliance pack → what `spark verify` leaves for machines and readers: JUnit, JSON, one HTML page.

All three hold the same verdicts; a host that was not reached stands in each of them, as what it is.
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003  (the template calls its methods)
import re
from collections import Counter
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from sparkfleet import report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sparkfleet.host.verdicts import Verdict

OUTCOMES = ("failed", "waived", "skipped", "passed")
SEVERITIES = ("high", "medium", "low")
TONES = {"failed": "bad", "waived": "warn", "skipped": "quiet", "passed": "good"}
NOT_REACHED = "not reached"
# What XML 1.0 has no place for (2.2 Characters); ElementTree writes it down as it is.
NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(names: Sequence[str], verdicts: Sequence[Verdict], silent: Mapping[str, str]) -> str:
    """JUnit XML, one testsuite a host. A waived check is skipped with its reason; a silent host is one error."""
    suites = ET.Element("testsuites", name="spark verify")
    for name in names:
        of_host = [v for v in verdicts if v.host == name]
        counted = Counter(v.outcome for v in of_host)
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=name,
            tests=str(len(of_host) + (name in silent)),
            failures=str(counted["failed"]),
            errors=str(int(name in silent)),
            skipped=str(counted["skipped"] + counted["waived"]),
            time=f"{sum(v.seconds for v in of_host):.3f}",
        )
        if name in silent:
            case = ET.SubElement(suite, "testcase", classname=name, name=NOT_REACHED)
            ET.SubElement(case, "error", message=_xml(silent[name]))
        for verdict in of_host:
            _case(suite, verdict)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, verdict: Verdict) -> None:
    words = {"classname": verdict.host, "name": f"{verdict.id} {verdict.title}", "time": f"{verdict.seconds:.3f}"}
    case = ET.SubElement(suite, "testcase", {key: _xml(word) for key, word in words.items()})
    properties = ET.SubElement(case, "properties")
    for key in ("id", "severity", "source"):
        ET.SubElement(properties, "property", name=key, value=_xml(getattr(verdict, key)))
    detail = _xml(verdict.detail)
    if verdict.outcome == "failed":
        ET.SubElement(case, "failure", message=detail.partition("\n")[0]).text = detail
    elif verdict.outcome in {"skipped", "waived"}:
        ET.SubElement(case, "skipped", message=detail)
    elif detail:
        ET.SubElement(case, "system-out").text = detail


def _xml(text: str) -> str:
    return NO_XML.sub("?", text)


def document(
    fleet: str, when: dt.datetime, verdicts: Sequence[Verdict], silent: Mapping[str, str]
) -> dict[str, object]:
    """What `--json` holds."""
    return {
        "fleet": fleet,
        "when": when.isoformat(),
        "summary": dict(Counter(v.outcome for v in verdicts if v.host)),
        "unreachable": dict(silent),
        "verdicts": [v.as_dict() for v in verdicts],
    }


def page(
    fleet: str, when: dt.datetime, names: Sequence[str], verdicts: Sequence[Verdict], silent: Mapping[str, str]
) -> str:
    """One self-contained HTML page: failures first, then every control of every host."""
    by_host = {name: [v for v in verdicts if v.host == name] for name in names}
    return report.render(
        "verify.html.j2",
        title=f"{fleet}: spark verify, {when:%Y-%m-%d %H:%M} UTC",
        fleet=fleet,
        when=when,
        hosts=by_host,
        counts={name: Counter(v.outcome for v in of_host) for name, of_host in by_host.items()},
        total=Counter(v.outcome for v in verdicts if v.host),
        severe={name: Counter(v.severity for v in of if v.outcome == "failed") for name, of in by_host.items()},
        silent=silent,
        bad=by_severity(v for v in verdicts if v.outcome == "failed"),
        waived=[v for v in verdicts if v.outcome == "waived"],
        notes=[v.detail for v in verdicts if not v.host],
        tones=TONES,
        outcomes=OUTCOMES,
        not_reached=NOT_REACHED,
    )


def by_severity(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """The most severe first; otherwise as they come."""
    return sorted(verdicts, key=lambda v: SEVERITIES.index(v.severity) if v.severity in SEVERITIES else 0)
