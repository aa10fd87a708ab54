"""What somebody does to a host, how it is undone, and the control that notices."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab import spark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.under_test import FleetUnderTest

SSHD = "/etc/ssh/sshd_config.d/00-sparkfleet.conf"
# Until another socket listens: for a moment after a reload none does, and before it the old one still would.
RELOAD = (
    "socket() { ss -Hlte4 sport = :22 | grep -o 'ino:[0-9]*'; }; old=$(socket); systemctl reload ssh; "
    'until now=$(socket) && test "$now" != "$old"; do sleep 0.1; done'
)
DROP_IN = "/run/systemd/system/{unit}.d/99-stray.conf"


@dataclass(frozen=True)
class Mutation:
    """Shell commands. `also`: what cannot stand when `control` does not; any of them may fail as well.

    `evidence` stands in what the control says. `at`: root's console of the host, or the controller, in the project's
    folder, where $FOLDER is the controller's own folder and $STACK the description's file.
    """

    control: str
    name: str
    done: str
    undone: str
    evidence: str
    also: tuple[str, ...] = ()
    at: str = "host"

    @property
    def family(self) -> str:
        """ACCESS of ACCESS-01."""
        return self.control.partition("-")[0]


def file(control: str, name: str, path: str, edit: str, evidence: str, *also: str, then: str = "true") -> Mutation:
    """A file is changed by `edit` (which sees it as $f), and put back as it was, times included; each time `then`."""
    done = f"f={path}; cp -p $f /var/tmp/kept; {edit}; {then}"
    return Mutation(control, name, done, f"mv /var/tmp/kept {path}; {then}", evidence, also)


def sshd(control: str, word: str, value: str, evidence: str, *also: str) -> Mutation:
    """One setting of sshd's gets another value, and sshd takes it up."""
    edit = f'sed -i "s|^{word} .*|{word} {value}|" $f'
    return file(control, f"{word} {value}", SSHD, edit, evidence, *also, then=RELOAD)


def stray(control: str, name: str, path: str, text: str, evidence: str, *also: str, then: str = "true") -> Mutation:
    """A file that nobody described lies there for a while."""
    return Mutation(
        control, name, f"printf '%b' '{text}' > {path}; {then}", f"rm {path}; {then}", evidence, also
    )  # fmt: skip


def unit(control: str, name: str, unit: str, text: str, evidence: str, *also: str, then: str = "true") -> Mutation:
    """A drop-in changes a unit for a while; `then` lets the unit take it up."""
    path, reload = DROP_IN.format(unit=unit), f"systemctl daemon-reload; {then}"
    done = f"mkdir -p $(dirname {path}); printf '%b' '{text}' > {path}; {reload}"
    return Mutation(control, name, done, f"rm -r $(dirname {path}); {reload}", evidence, also)


@contextmanager
def broken(fleet: FleetUnderTest, host: str, mutation: Mutation) -> Iterator[None]:
    """The mutation is there inside the block, and undone after it."""
    do = (lambda c: at_console(fleet, host, c)) if mutation.at == "host" else (lambda c: on_controller(fleet, host, c))
    try:
        do(mutation.done)
    except AssertionError:
        with suppress(AssertionError):  # half done is half undone
            do(mutation.undone)
        raise
    try:
        yield
    finally:
        do(mutation.undone)


def noticed(fleet: FleetUnderTest, host: str, mutation: Mutation) -> tuple[int, dict[str, str]]:
    """With the mutation there: `spark verify`'s exit code, and each control that fails with what it says."""
    with broken(fleet, host, mutation):
        code, said = fleet.verify(host)
    return code, {v["id"]: v["detail"] for v in said["verdicts"] if v["outcome"] == "failed"}


def noticed_alone(fleet: FleetUnderTest, host: str, mutation: Mutation) -> None:
    """Assert that its own control notices, with evidence, and that everything passes but that and `also`."""
    _, failed = noticed(fleet, host, mutation)
    assert mutation.evidence in failed.get(mutation.control, ""), failed
    assert failed.keys() <= {mutation.control, *mutation.also}, failed


def at_console(fleet: FleetUnderTest, host: str, command: str) -> None:
    """Run what root types at the host's own console; it needs neither network nor sshd."""
    inside = ["nsenter", "-t", str(spark.first_process(fleet.instance, host)), "-a"]
    run([*inside, "sh", "-ec", command], {"PATH": os.environ["PATH"], "HOME": "/root"})


def on_controller(fleet: FleetUnderTest, host: str, command: str) -> None:
    """Run what the fleet's owner types on the controller."""
    own = {
        "FOLDER": str(fleet.instance.folder),
        "STACK": str(fleet.description),
        "ADDRESS": fleet.instance.address(host),
    }
    run(["sh", "-ec", command], {**os.environ, **own})


def run(command: list[str], env: dict[str, str]) -> None:
    """Run it to its end; a failure shows what it said."""
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}{done.stderr}"
