"""Fleet, hosts → how each stands to Calypso today: the server is asked what it is, hosts which driver they have loaded.

`report` decides and is pure; `ask` acts. Nothing is changed anywhere.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from sparkfleet.errors import SparkfleetError
from sparkfleet.host import align, calypso
from sparkfleet.host.align import Alignment
from sparkfleet.host.connection import Target
from sparkfleet.host.observe import observe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkfleet.host.align_table import Table
    from sparkfleet.host.calypso import Server
    from sparkfleet.model import Fleet

MOST_AT_ONCE = 16
By = Literal["question", "server", "description"]


@dataclass(frozen=True)
class Question:
    """A release or variant that the server may move to, judged instead of what is."""

    release: str | None = None
    variant: str | None = None


@dataclass(frozen=True)
class Answers:
    """What was heard; an error where something did not answer. `server` None: it was not asked."""

    server: Server | SparkfleetError | None = None
    drivers: Mapping[str, str | SparkfleetError] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """How hosts stand. `by`: who named the judged release; `described_driver`: the verdict on the described branch."""

    by: By
    described_driver: Alignment
    server: Server | SparkfleetError | None
    differs: str
    hosts: Mapping[str, Alignment | SparkfleetError]

    @property
    def judged(self) -> list[Alignment]:
        """The verdicts: of the hosts, or of the description where no host was asked."""
        found = [one for one in self.hosts.values() if isinstance(one, Alignment)]
        return found if self.hosts else [self.described_driver]

    @property
    def silent(self) -> list[SparkfleetError]:
        """Who did not answer."""
        return [one for one in (self.server, *self.hosts.values()) if isinstance(one, SparkfleetError)]

    def as_dict(self) -> dict[str, Any]:
        """The same for `--json`."""
        return {
            "by": self.by,
            "described_driver": self.described_driver.as_dict(),
            "server": _shown(self.server),
            "differs": self.differs,
            "hosts": {name: _shown(one) for name, one in self.hosts.items()},
        }


def report(fleet: Fleet, table: Table, question: Question, answers: Answers) -> Report:
    """Judge each host's loaded driver with what the server is; with the description where the server did not answer."""
    described = fleet.calypso
    variant = question.variant or described.variant
    server = None if isinstance(answers.server, SparkfleetError) else answers.server

    def judge(driver: str) -> Alignment:
        if question.release or server is None:
            return align.resolve(table, question.release or described.release, variant, driver)
        return align.of_server(table, server.version, variant, driver)

    hosts = {name: one if isinstance(one, SparkfleetError) else judge(one) for name, one in answers.drivers.items()}
    return Report(
        by="question" if question.release else "server" if server else "description",
        described_driver=judge(fleet.gpu.driver.branch),
        server=answers.server,
        differs=_difference(table, described.release, server) if server else "",
        hosts=hosts,
    )


def _difference(table: Table, described: str | None, server: Server) -> str:
    """What to mend where the server is not what is described; empty when it is, or when nobody can tell."""
    release = table.servers.get(server.version)
    if release is None or release == described:
        return ""
    write = f'calypso.release: "{release}"'
    is_now = f"Calypso is {server.version}, release {release}"
    if described is None:
        return f"{is_now}; write {write} into the description"
    return f"{is_now}, and {described} is described, by which hosts go; write {write}, or put the server back"


def ask(fleet: Fleet, names: list[str], *, server: bool) -> Answers:
    """Ask the server, if it is described and wanted, and the hosts, all at once; what is silent becomes an error."""
    import fabric  # noqa: F401, TID251  (once, before the threads: an import in several of them at once costs more)

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        asked = pool.submit(_server, fleet) if server and fleet.calypso.url else None
        drivers = dict(zip(names, pool.map(lambda name: _driver(fleet, name), names), strict=True))
        return Answers(asked.result() if asked else None, drivers)


def _server(fleet: Fleet) -> Server | SparkfleetError:
    try:
        return calypso.ask(fleet.calypso)
    except SparkfleetError as error:
        return error


def _driver(fleet: Fleet, name: str) -> str | SparkfleetError:
    """The driver that is loaded; empty when there is none."""
    try:
        return observe(Target.of(fleet, name), {}, sysfs=str(fleet.hosts[name].sysfs)).facts.get("driver", "")
    except SparkfleetError as error:
        return error


def _shown(one: Alignment | Server | SparkfleetError | None) -> dict[str, Any] | None:
    if isinstance(one, SparkfleetError):
        return {"error": str(one), "exit_code": one.exit_code}
    if isinstance(one, Alignment):
        return one.as_dict()
    return vars(one) if one else None
