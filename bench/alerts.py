"""Every fault scenario through a real Prometheus and Alertmanager → scenario by alert: expected, observed, seconds.

    python bench/alerts.py [--minutes 10.8] [--healthy 75] [--json FILE] [--markdown bench/alerts.md] [--only NAME …]

Each Spark is healthy first, then its fault is loaded. Simulated GB10s, mocked probes; measured times. Ends with 1 when
an expected alert is missing or another one appears. Needs gcc, root (for Debian's Alertmanager, unpacked) and
`lab/bootstrap.sh monitoring`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # bench and lab are not installed

from bench.alerting.cases import BY_PROMTOOL, CASES
from bench.alerting.fleet import Fleet

if TYPE_CHECKING:
    from bench.alerting.cases import Case


WRITTEN_BY = """Written by `python bench/alerts.py`. GB10s simulated, probes of ping and SSH mocked; exporter,
Prometheus and Alertmanager real; scrapes and rules every 5 s; {minutes:g} minutes after the fault, seconds from it.
An exporter that was watched for more than ten minutes before is told after seven, not after three."""


@dataclass
class Seen:
    """One alert of one Spark: seconds from the fault until Alertmanager had it, and until it was over."""

    fired_s: float
    cleared_s: float | None = None


@dataclass
class Outcome:
    """What was seen of one case."""

    case: Case
    seen: dict[str, Seen] = field(default_factory=dict)

    @property
    def missing(self) -> set[str]:
        """Expected and not seen, or not cleared though it should have been."""
        never = self.case.expected - self.seen.keys()
        return set(never) | {name for name in self.case.cleared - never if self.seen[name].cleared_s is None}

    @property
    def unexpected(self) -> set[str]:
        """Seen and not expected."""
        return self.seen.keys() - self.case.expected - self.case.late


def watch(fleet: Fleet, cases: list[Case], healthy_s: float, minutes: float) -> list[Outcome]:
    """Healthy first, then the faults; Alertmanager is asked each second."""
    outcomes = {case.name: Outcome(case) for case in cases}
    began = time.monotonic()
    fault = began + healthy_s
    loaded = False
    while (now := time.monotonic()) < fault + 60 * minutes:
        if now >= fault and not loaded:
            for spark in fleet.sparks.values():
                spark.load_fault()
            loaded = True
        note(outcomes, fleet.firing(), now - fault)
        time.sleep(1.0)
    if not fleet.lives():
        raise RuntimeError("the watchdog has not come through: nothing that was seen means anything")
    return list(outcomes.values())


def note(outcomes: dict[str, Outcome], firing: set[tuple[str, str]], at_s: float) -> None:
    """What is new at this moment, and what is over."""
    for name, alert in firing:
        if alert not in outcomes[name].seen:
            sys.stderr.write(f"  {at_s:6.0f} s  {name}: {alert}\n")
        outcomes[name].seen.setdefault(alert, Seen(at_s)).cleared_s = None
    for name, outcome in outcomes.items():
        for alert, seen in outcome.seen.items():
            if (name, alert) not in firing and seen.cleared_s is None:
                seen.cleared_s = at_s


def markdown(outcomes: list[Outcome], minutes: float) -> str:
    """The table that people read."""
    lines = [
        "# Scenarios and alerts",
        "",
        WRITTEN_BY.format(minutes=minutes),
        "",
        "| scenario | alert | expected | observed | seconds to Alertmanager | over after |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for outcome in outcomes:
        for alert in sorted(outcome.case.expected | outcome.seen.keys()) or ["none"]:
            seen = outcome.seen.get(alert)
            expected = alert in outcome.case.expected | outcome.case.late or alert == "none"
            observed = seen is not None or alert == "none"
            times = [f"{seen.fired_s:.0f}", f"{seen.cleared_s:.0f}" if seen.cleared_s else "-"] if seen else ["-", "-"]
            words = ["yes" if expected else "**no**", "yes" if observed else "**no**", *times]
            lines.append(f"| {outcome.case.name} | {alert} | {' | '.join(words)} |")
    for scenario, (alert, why) in BY_PROMTOOL.items():
        lines.append(f"| {scenario} | {alert} | yes | by promtool's clock (tests/alerts) | {why} | - |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write."""
    flags = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    flags.add_argument("--minutes", type=float, default=10.8, help="after the fault (default %(default)s)")
    flags.add_argument("--healthy", type=float, default=75, help="seconds before it (default %(default)s)")
    flags.add_argument("--json", type=Path, help="write the figures there")
    flags.add_argument("--markdown", type=Path, help="write the table there")
    flags.add_argument("--only", nargs="+", choices=[case.name for case in CASES], help="these cases alone")
    flag = flags.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # else Python leaves without ending what it started
    cases = [case for case in CASES if not flag.only or case.name in flag.only]
    with tempfile.TemporaryDirectory(prefix="alerts-") as folder:
        fleet = Fleet(cases, Path(folder))
        try:
            outcomes = watch(fleet, cases, flag.healthy, flag.minutes)
        finally:
            fleet.stop()
    table = markdown(outcomes, flag.minutes)
    print(table)
    if flag.markdown:
        flag.markdown.write_text(table)
    if flag.json:
        figures = {
            one.case.name: {
                "expected": sorted(one.case.expected),
                "observed": {alert: vars(seen) for alert, seen in sorted(one.seen.items())},
            }
            for one in outcomes
        }
        flag.json.write_text(json.dumps({"label": "simulated", "cases": figures}, indent=2) + "\n")
    wrong = [one for one in outcomes if one.missing or one.unexpected]
    for one in wrong:
        sys.stderr.write(f"{one.case.name}: missing {sorted(one.missing)}, unexpected {sorted(one.unexpected)}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
