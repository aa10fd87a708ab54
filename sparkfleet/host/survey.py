"""Fleet, hosts → what differs on each, all hosts at once; a host that is silent does not hide what the others say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import SparkfleetError
from sparkfleet.host import sources
from sparkfleet.host.checks import Check, checks
from sparkfleet.host.connection import Target
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.observe import Observed, observe
from sparkfleet.host.plan import Change, plan

if TYPE_CHECKING:
    from sparkfleet.model import Fleet

MOST_AT_ONCE = 16


@dataclass(frozen=True)
class Finding:
    """What one host was found to be; `error` when it could not be observed."""

    host: str
    desired: Desired
    observed: Observed | None = None
    changes: list[Change] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    error: SparkfleetError | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        if self.error:
            return {"error": str(self.error), "exit_code": self.error.exit_code}
        assert self.observed is not None  # noqa: S101  (one of the two is always there)
        return {
            "address": self.observed.address,
            "facts": self.observed.facts,
            "changes": [change.as_dict() for change in self.changes],
            "checks": [vars(check) for check in self.checks],
        }


def findings(fleet: Fleet, names: list[str]) -> list[Finding]:
    """Observe the named hosts together and plan each; in the order of the names."""
    read = sources.read(fleet)
    wanted = [desired(fleet, name, read) for name in names]
    import fabric  # noqa: F401, TID251  (once, before the threads: an import in several of them at once costs more)

    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(wanted))) as pool:
        return list(pool.map(lambda one: finding(fleet, one), wanted))


def finding(fleet: Fleet, wanted: Desired) -> Finding:
    """Observe one host and plan it; an error becomes part of the finding."""
    host = fleet.hosts[wanted.host]
    try:
        observed = observe(
            Target.of(fleet, wanted.host), wanted.settings, sysfs=str(host.sysfs), procfs=str(host.procfs)
        )
    except SparkfleetError as error:
        return Finding(wanted.host, wanted, error=error)
    looked_at = checks(fleet, observed.facts, wanted.roles)
    return Finding(wanted.host, wanted, observed, plan(observed.settings, wanted), looked_at)
