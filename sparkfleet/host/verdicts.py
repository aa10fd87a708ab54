"""What the checks of the compliance pack said → verdicts, typed, in order, and what their failure amounts to. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from sparkfleet.errors import SparkfleetError, VerifyError
from sparkfleet.text import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sparkfleet.model import Waiver

Outcome = Literal["passed", "failed", "waived", "skipped"]


@dataclass(frozen=True)
class Verdict:
    """What one check said of one host. `detail`: evidence of a failure, why it was skipped, until when it is waived.

    `source`: whose requirement it is. `seconds`: how long it took; the first check of a host waits for its connection.
    """

    host: str
    id: str
    severity: str
    title: str
    outcome: Outcome
    detail: str = ""
    source: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        return asdict(self)


def parse(report: Mapping[str, Any]) -> list[Verdict]:
    """The pack's report, typed and safe to show; raises SparkfleetError when it is not what the pack writes."""
    try:
        found = [Verdict(**{**entry, "detail": printable_lines(entry["detail"])}) for entry in report["verdicts"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise SparkfleetError(f"the compliance pack left a report that cannot be read: {error}") from error
    if strange := {v.outcome for v in found} - set(get_args(Outcome)):
        raise SparkfleetError(f"the compliance pack left a report with outcomes that are none: {sorted(strange)}")
    return found


def in_order(verdicts: Iterable[Verdict], names: Sequence[str]) -> list[Verdict]:
    """By host as named, then by id with its number taken as a number."""

    def place(verdict: Verdict) -> tuple[int, str, int, str]:
        family, _, rest = verdict.id.partition("-")
        number, _, subject = rest.partition("/")
        return names.index(verdict.host), family, int(number) if number.isdecimal() else 0, subject

    return sorted(verdicts, key=place)


def unknown_waivers(waivers: Mapping[str, Waiver], known: Iterable[str], sysctls: Iterable[str]) -> list[Verdict]:
    """A waiver for a check that does not exist waives nothing; say so, with the nearest id.

    `known`: the ids of the pack; BASE-04 stands for each of `sysctls` apart as well.
    """
    ids = sorted({*known, *(f"BASE-04/{sysctl}" for sysctl in sysctls)})
    found = []
    for id_ in waivers:
        if id_ not in ids:
            near = difflib.get_close_matches(id_, ids, n=1)
            detail = f"waivers.{id_}: no check has this id" + (f"; did you mean {near[0]}?" if near else "")
            found.append(Verdict("", id_, "low", "A waiver names a check of the pack.", "skipped", detail))
    return found


def failure(verdicts: Iterable[Verdict]) -> VerifyError | None:
    """The error that unwaived failures amount to; None when there are none."""
    failed = [v for v in verdicts if v.outcome == "failed"]
    if not failed:
        return None
    hosts = Counter(v.host for v in failed)
    named = "; ".join(f"{host}: {', '.join(v.id for v in failed if v.host == host)}" for host in hosts)
    return VerifyError(
        f"{len(failed)} check{'s' if len(failed) > 1 else ''} of the compliance pack failed ({named}).",
        usually="somebody changed the host by hand, or a service is not well.",
        next_step="`spark plan` shows what differs from the description, `pulumi up` puts it back; "
        "what must stay for a while gets a waiver with a reason and a date.",
    )
