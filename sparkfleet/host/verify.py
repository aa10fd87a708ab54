"""Fleet, live hosts → verdicts of the compliance pack (tests/hosts), which pytest runs in a process of its own.

Changes nothing. The pack learns what is described from a request (no secret in it) and leaves a report; who reads the
verdicts decides what a failure means: the command ends with VerifyError's code, SparkHost fails the resource.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sparkfleet.errors import SparkfleetError, UnreachableError, VerifyError
from sparkfleet.host.apply import ENVIRONMENT
from sparkfleet.host.connection import Session, Target
from sparkfleet.host.openssh import ssh_config
from sparkfleet.host.roles import PARTS, exporters, monitors
from sparkfleet.host.sources import PROJECT, rule_files
from sparkfleet.model import Role
from sparkfleet.monitoring import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sparkfleet.model import Fleet

PACK = PROJECT / "tests" / "hosts"
REQUEST_VARIABLE = "SPARKFLEET_VERIFY_REQUEST"
MOST_AT_ONCE = 16
PYTEST_ENDED = {0, 1}  # all passed; some failed. Anything else: the pack itself did not run
# A host that falls silent in the middle ends its checks, not the run; nobody is asked for a password.
SSH_EXTRAS = "\nHost *\n  BatchMode yes\n  GlobalKnownHostsFile /dev/null\n  ServerAliveInterval 5\n"
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
# What a check needs to see although no role names it.
MORE_UNITS = ("apt-daily.timer", "apt-daily-upgrade.timer")

Outcome = Literal["passed", "failed", "waived", "skipped"]


@dataclass(frozen=True)
class Verdict:
    """What one check said of one host. `detail`: evidence of a failure, why it was skipped, until when it is waived."""

    host: str
    id: str
    severity: str
    title: str
    outcome: Outcome
    detail: str = ""

    def as_dict(self) -> dict[str, str]:
        """The same for `--json`."""
        return asdict(self)


class SilentHostsError(UnreachableError):
    """Some hosts did not answer; `verdicts` holds what the others said."""

    def __init__(self, silent: Sequence[SparkfleetError], verdicts: list[Verdict]) -> None:
        self.verdicts = verdicts
        super().__init__(
            "\n".join(error.what for error in silent), usually=silent[0].usually, next_step=silent[0].next_step
        )


def verify(
    fleet: Fleet, names: Sequence[str], *, junit: Path | None = None, today: dt.date | None = None
) -> list[Verdict]:
    """Run the pack against the named hosts; verdicts in the order of the names, then of the ids.

    Raises SilentHostsError, after the other hosts were verified, when one cannot be reached; SparkfleetError when the
    pack itself could not run. `junit`: where pytest writes its XML. `today` decides about waivers (UTC).
    """
    addresses: dict[str, tuple[str, str]] = {}
    silent = []
    for name, found in zip(names, _reach_all(fleet, names), strict=True):
        if isinstance(found, SparkfleetError):
            silent.append(found)
        else:
            addresses[name] = found
    verdicts: list[Verdict] = []
    if addresses:
        hosts = {name: request(fleet, name, *addresses[name], today or _today()) for name in addresses}
        report = _run_pack(fleet, hosts, junit)
        verdicts = in_order(parse(report), names) + unknown_waivers(fleet, report["known"])
    if silent:
        raise SilentHostsError(silent, verdicts)
    return verdicts


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


def waivers(fleet: Fleet, name: str, today: dt.date) -> dict[str, dict[str, Any]]:
    """The waivers that name this host, by id of the check; one whose day has come is kept and marked expired."""
    return {
        id_: {"reason": waiver.reason, "until": waiver.until.isoformat(), "expired": today >= waiver.until}
        for id_, waiver in fleet.waivers.items()
        if not waiver.hosts or name in waiver.hosts
    }


def unknown_waivers(fleet: Fleet, known: Sequence[str]) -> list[Verdict]:
    """A waiver for a check that does not exist waives nothing; say so, with the nearest id."""
    families = {id_.partition("/")[0] for id_ in known}
    found = []
    for id_ in fleet.waivers:
        if id_ not in families and id_ not in known:
            near = difflib.get_close_matches(id_, sorted({*families, *known}), n=1)
            detail = f"waivers.{id_}: no check has this id" + (f"; did you mean {near[0]}?" if near else "")
            found.append(Verdict("", id_, "low", "A waiver names a check of the pack.", "skipped", detail))
    return found


def request(fleet: Fleet, name: str, address: str, controller: str, today: dt.date) -> dict[str, Any]:
    """What the checks of one host expect: the description as plain JSON, no secret.

    `address` is the one that answered, `controller` the address under which the host sees this controller.
    """
    host = fleet.hosts[name]
    parts = {role: PARTS[role](fleet, name) for role in host.all_roles}
    by_version = monitors(fleet)
    automation = fleet.controller.private_key.with_suffix(".pub").read_text().strip()
    people = {user: {"keys": p.authorized_keys, "sudo": p.sudo} for user, p in fleet.access.users.items()}
    checked_ports = ([fleet.exporter.port] if Role.EXPORTER in parts else []) + (
        [9090, 9093, 9115] if Role.MONITOR in parts else []
    )
    return {
        "roles": [str(role) for role in parts],
        "address": address,
        "controller_address": controller,
        "port": host.port,
        "procfs": str(host.procfs),
        "sysfs": str(host.sysfs),
        "automation_user": fleet.controller.user,
        "users": {**people, fleet.controller.user: {"keys": [automation], "sudo": False}},
        "units": sorted({*MORE_UNITS, *(unit for part in parts.values() for unit in part.units)}),
        "secret_files": sorted(path for part in parts.values() for path in part.secrets),
        "timezone": fleet.base.timezone,
        "journal_max_use": fleet.base.journal_max_use,
        "sysctls": parts[Role.BASE].sysctls,
        "driver_branch": fleet.base.driver_branch,
        "security_updates": fleet.base.automatic_security_updates,
        "max_auth_tries": fleet.access.max_auth_tries,
        "tcp_forwarding": fleet.access.tcp_forwarding,
        "sshd_drop_ins": _names_in("etc/ssh/sshd_config.d"),
        "checked_ports": checked_ports,  # they have checks of their own about who reaches them
        "exporter_port": fleet.exporter.port,
        "exporters": exporters(fleet),
        "grafana_port": fleet.monitoring.grafana.port,
        "monitors": by_version["v4"] + by_version["v6"],
        "scrape_interval_s": seconds(fleet.monitor.scrape_interval),
        "alerts": _alerts(fleet) if Role.MONITOR in parts else [],
        "evaluator": fleet.monitoring.alerts,
        "retention": fleet.monitor.retention,
        "storage_share": fleet.monitor.storage_share,
        "hosts": list(fleet.hosts),
        "waivers": waivers(fleet, name, today),
    }


def parse(report: Mapping[str, Any]) -> list[Verdict]:
    """The pack's report, typed; raises SparkfleetError when it is not what the pack writes."""
    try:
        return [Verdict(**entry) for entry in report["verdicts"]]
    except (KeyError, TypeError) as error:
        raise SparkfleetError(f"the compliance pack left a report that cannot be read: {error}") from error


def in_order(verdicts: Iterable[Verdict], names: Sequence[str]) -> list[Verdict]:
    """By host as named, then by id with its number taken as a number."""

    def place(verdict: Verdict) -> tuple[int, str, int, str]:
        family, _, rest = verdict.id.partition("-")
        number, _, subject = rest.partition("/")
        return names.index(verdict.host), family, int(number) if number.isdecimal() else 0, subject

    return sorted(verdicts, key=place)


def seconds(duration: str) -> float:
    """A Prometheus duration of the model ("15s") in seconds."""
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", duration).groups()  # type: ignore[union-attr]  # the model checked it
    return int(number) * SECONDS[unit]


def _today() -> dt.date:
    return dt.datetime.now(tz=dt.UTC).date()


def _names_in(folder: str) -> list[str]:
    return sorted(f.name.removesuffix(".j2") for f in (PROJECT / "templates" / folder).iterdir())


def _alerts(fleet: Fleet) -> list[str]:
    """The alerts that the monitor's own Prometheus evaluates: none when another one pages."""
    if fleet.monitoring.alerts != "prometheus":
        return []
    return [name for text in rule_files().values() for name in rules.alerts(text)]


def _reach_all(fleet: Fleet, names: Sequence[str]) -> list[tuple[str, str] | SparkfleetError]:
    """Log in to every host at once: (its address that answered, ours as it sees it), or why not."""
    import fabric  # noqa: F401, TID251  (once, before the threads: an import in several of them at once costs more)

    def reach(name: str) -> tuple[str, str] | SparkfleetError:
        try:
            with Session(Target.of(fleet, name)) as session:
                return session.address, session.run('echo "${SSH_CLIENT%% *}"').stdout.strip()
        except SparkfleetError as error:
            return error

    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(names))) as pool:
        return list(pool.map(reach, names))


def _run_pack(fleet: Fleet, hosts: Mapping[str, dict[str, Any]], junit: Path | None) -> dict[str, Any]:
    """Run pytest on the pack and return its report."""
    with tempfile.TemporaryDirectory(prefix="spark-") as place:  # short: ssh's ControlPath stays under 108 bytes
        folder = Path(place)
        targets = [replace(Target.of(fleet, name), addresses=(hosts[name]["address"],)) for name in hosts]
        extras = f"{SSH_EXTRAS}  ControlPath {folder}/%C\n"
        (folder / "ssh_config").write_text(ssh_config(targets) + extras)
        paths = {"ssh_config": str(folder / "ssh_config"), "report": str(folder / "report.json")}
        (folder / "request.json").write_text(json.dumps({**paths, "hosts": hosts}))
        command = [sys.executable, "-m", "pytest", "-q", "-c", str(PACK / "pytest.ini"), "--rootdir", str(PACK)]
        command += [f"--junit-xml={junit.absolute()}"] if junit else []
        done = subprocess.run(
            [*command, str(PACK)],
            cwd=PACK,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        report = folder / "report.json"
        if done.returncode not in PYTEST_ENDED or not report.exists():
            last = (done.stdout + done.stderr).strip().splitlines()[-5:]
            raise SparkfleetError(
                f"the compliance pack did not run: pytest ended with code {done.returncode}:\n" + "\n".join(last),
                usually="a file below tests/hosts is broken or missing.",
            )
        return dict(json.loads(report.read_text()))


def _environment(folder: Path) -> dict[str, str]:
    """All that pytest and ssh need; passphrases and cloud keys stay outside, plugins of the user's too."""
    kept = {key: value for key in ENVIRONMENT if (value := os.environ.get(key))}
    return kept | {
        REQUEST_VARIABLE: str(folder / "request.json"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
