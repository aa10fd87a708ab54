"""Fleet, live hosts → verdicts of the compliance pack (tests/hosts): one pytest process and one SSH connection a host.

Changes nothing. The pack learns what is described from a request and leaves a report; who reads the verdicts decides
what a failure means: the command ends with VerifyError's code, SparkHost fails the resource.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import SparkfleetError, UnreachableError
from sparkfleet.host import controls
from sparkfleet.host.apply import ENVIRONMENT
from sparkfleet.host.connection import Session, Target
from sparkfleet.host.openssh import ssh_config
from sparkfleet.host.sources import PROJECT
from sparkfleet.host.verdicts import Verdict, in_order, parse, unknown_waivers
from sparkfleet.host.verify_request import request
from sparkfleet.host.wire import dial
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkfleet.model import Fleet

PACK = PROJECT / "tests" / "hosts"
REQUEST_VARIABLE = "SPARKFLEET_VERIFY_REQUEST"
MOST_AT_ONCE = 8
DEADLINE_S = 240.0  # of one host; a Prometheus that was just restarted is waited for a minute by several checks
# All passed; some failed; the host could not be asked (HOST_LOST). Anything else: the pack itself did not run.
PYTEST_ENDED = {0, 1, 90}
# A host that falls silent in the middle ends its checks, not the run; nobody is asked for a password. One connection:
# whatever asks first opens it, the others go through it.
SSH_EXTRAS = (
    "\nHost *\n  BatchMode yes\n  GlobalKnownHostsFile /dev/null\n  ServerAliveInterval 5\n"
    "  ControlMaster auto\n  ControlPersist 60\n"
)


class SilentHostsError(UnreachableError):
    """Some hosts did not answer; `verdicts` holds what the others said, `silent` why, by host."""

    def __init__(self, silent: dict[str, SparkfleetError], verdicts: list[Verdict]) -> None:
        self.verdicts = verdicts
        self.silent = {name: error.what for name, error in silent.items()}
        first = next(iter(silent.values()))
        super().__init__("\n".join(self.silent.values()), usually=first.usually, next_step=first.next_step)


def verify(
    fleet: Fleet, names: Sequence[str], *, today: dt.date | None = None, deadline_s: float = DEADLINE_S
) -> list[Verdict]:
    """Run the pack against the named hosts, 8 at once; verdicts in the order of the names, then of the ids.

    Raises SilentHostsError, after the other hosts were verified, when one cannot be reached or is not done within
    `deadline_s`; SparkfleetError when the pack itself could not run. `today` decides about waivers (UTC).
    """
    day = today or dt.datetime.now(tz=dt.UTC).date()

    def one(name: str) -> list[Verdict] | UnreachableError:
        try:
            return verify_one(fleet, name, day, deadline_s)
        except UnreachableError as error:
            return error

    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(names))) as pool:
        found = dict(zip(names, pool.map(one, names), strict=True))
    silent: dict[str, SparkfleetError] = {n: error for n, error in found.items() if isinstance(error, SparkfleetError)}
    verdicts = in_order([v for of_host in found.values() if isinstance(of_host, list) for v in of_host], names)
    known = [control.id for control in controls.controls(PACK)] if fleet.waivers else []
    sysctls = {v.id.partition("/")[2] for v in verdicts if "/" in v.id}
    verdicts += unknown_waivers(fleet.waivers, known, sysctls) if verdicts else []
    if silent:
        raise SilentHostsError(silent, verdicts)
    return verdicts


def verify_one(fleet: Fleet, name: str, today: dt.date, deadline_s: float) -> list[Verdict]:
    """One host's verdicts; raises UnreachableError when it does not let us in or is not done in time."""
    target = Target.of(fleet, name)
    address, wire = dial(target)
    wire.close()
    if not target.private_key.exists():
        raise UnreachableError(
            f"the controller has no automation key to log in to {name} with ({target.private_key}).",
            usually="no host of this fleet was adopted yet.",
            next_step=f"run `spark adopt {name}`.",
        )
    target = replace(target, addresses=(address,))
    report = run_pack(target, request(fleet, name, address, today), deadline_s)
    if lost := report.get("lost"):
        Session(target).close()  # says why in the words of every other command, when it does not let us in
        raise UnreachableError(
            f"{name} lets us in, but could not be asked: {printable(str(lost))}.",
            usually="it is overloaded, sudo or Python does not work there, or the network broke.",
            next_step=f"look at the machine, then run `spark verify {name}`.",
        )
    return parse(report)


def run_pack(target: Target, wanted: dict[str, Any], deadline_s: float) -> dict[str, Any]:
    """Run pytest on the pack and return its report about one host; raises UnreachableError when it is not done."""
    with tempfile.TemporaryDirectory(prefix="spark-") as place:  # short: ssh's ControlPath stays under 108 bytes
        folder = Path(place)
        config = folder / "ssh_config"
        config.write_text(ssh_config([target]) + f"{SSH_EXTRAS}  ControlPath {folder}/%C\n")
        paths = {"ssh_config": str(config), "report": str(folder / "report.json"), "old_key": _old_key(target)}
        (folder / "request.json").write_text(json.dumps({**paths, "host": target.name, "wanted": wanted}))
        command = [sys.executable, "-m", "pytest", "-q", "-c", str(PACK / "pytest.ini"), "--rootdir", str(PACK)]
        # To a file: a pipe would stay open, and be waited for, as long as an ssh that pytest leaves behind.
        with (folder / "said").open("w+") as said:
            try:
                done = subprocess.run(
                    [*command, str(PACK)],
                    cwd=PACK,
                    env=_environment(folder),
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    timeout=deadline_s,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise _too_slow(target.name, deadline_s) from None
            finally:
                _hang_up(config, target.name)
            said.seek(0)
            last = said.read().strip().splitlines()[-5:]
        if done.returncode not in PYTEST_ENDED or not (folder / "report.json").exists():
            raise SparkfleetError(
                f"the compliance pack did not run: pytest ended with code {done.returncode}:\n" + "\n".join(last),
                usually="a file below tests/hosts is broken or missing.",
            )
        return dict(json.loads((folder / "report.json").read_text()))


def _too_slow(name: str, deadline_s: float) -> UnreachableError:
    return UnreachableError(
        f"{name} lets us in, but was not done with its checks within {deadline_s:.0f} s.",
        usually="it is overloaded or out of memory, or the network lost most of its packets.",
        next_step=f"look at the machine, then run `spark verify {name}`.",
    )


def _hang_up(config: Path, name: str) -> None:
    """End the connection, also when pytest could not any more; the ssh that keeps it answers by itself."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            ["ssh", "-F", str(config), "-O", "exit", name],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=5, check=False,
        )  # fmt: skip


def _old_key(target: Target) -> str:
    """The automation key before the last rotation, where it was kept: it must open nothing."""
    old = target.private_key.with_name(f"{target.private_key.name}.old")
    return str(old) if old.exists() else ""


def _environment(folder: Path) -> dict[str, str]:
    """All that pytest and ssh need; passphrases and cloud keys stay outside, plugins of the user's too."""
    kept = {key: value for key in ENVIRONMENT if (value := os.environ.get(key))}
    return kept | {
        REQUEST_VARIABLE: str(folder / "request.json"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
