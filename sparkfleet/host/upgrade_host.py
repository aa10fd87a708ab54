"""A host and a step of upgrade_script → its answer, typed; and a reboot that is proven. The edge to hosts."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkfleet.errors import SparkfleetError, UnreachableError, UpgradeError
from sparkfleet.host import upgrade_apt
from sparkfleet.host.connection import Session, Target
from sparkfleet.host.observe import COMMAND
from sparkfleet.host.step import answered
from sparkfleet.host.upgrade_look import BOOT_ID, Look
from sparkfleet.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkfleet.host.upgrade_apt import Updates
    from sparkfleet.model import Fleet

SCRIPT = Path(__file__).with_name("upgrade_script.py")
LOOK_S = 180.0
LISTS_S = 900.0  # reading every package list over a slow line
UNITS_S = 180.0  # a model that is being served needs a while to stop and to start
POLL_S = 2.0
STARTED_S = 300.0  # from sshd's first answer until systemd has started everything


def program(request: dict[str, Any]) -> str:
    """The text that a host's Python reads on stdin; playbooks/upgrade.yml sends the same."""
    return f"{SCRIPT.read_text()}\n\nmain(json.loads({json.dumps(request)!r}))\n"


class Machine:
    """One host as an upgrade sees it; a connection of its own for every question: reboots lie between them."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        """`name` is described in `fleet`; nothing is asked yet."""
        self.fleet, self.name, self.target = fleet, name, Target.of(fleet, name)
        self._host = fleet.hosts[name]

    def call(self, do: str, *, timeout_s: float = LOOK_S, **words: Any) -> dict[str, Any]:
        """One step and its answer; raises UpgradeError for what the host could not do, and UnreachableError."""
        with Session(self.target) as session:
            said = session.run(COMMAND, stdin=program({"do": do, **words}), timeout_s=timeout_s)
        answer, fault = answered(said)
        if fault:
            raise self._odd(f"could not do the step {do!r}: {printable(fault)}")
        return answer

    def look(self) -> Look:
        """How it stands; changes nothing."""
        sysfs, procfs = str(self._host.sysfs), str(self._host.procfs)
        answer = self.call("look", units=self.fleet.upgrade.serving, sysfs=sysfs, procfs=procfs)
        try:
            return Look.of(answer)
        except ValueError as error:
            raise self._odd("gave an answer that upgrade_script does not give") from error

    def look_when_idle(self) -> Look:
        """The same once no other package manager is at work, or when it has been waited for long enough."""
        until = time.monotonic() + self.fleet.upgrade.lock_timeout_s
        while (found := self.look()).locks and time.monotonic() < until:
            time.sleep(POLL_S)
        return found

    def updates(self, *, refresh: bool) -> Updates:
        """What a full upgrade would do; with `refresh` by package lists read anew."""
        wait_s, most_s = self.fleet.upgrade.lock_timeout_s, LISTS_S
        answer = self.call(
            "updates", timeout_s=3 * most_s + wait_s, lock_timeout_s=wait_s, within_s=most_s, refresh=refresh
        )
        text, lines = str(answer.get("text")), str(answer.get("text")).strip().splitlines() or ["it said nothing"]
        if answer.get("code") != 0:
            wrong = next((line for line in lines if line.startswith("E:")), lines[-1])
            raise UpgradeError(
                f"{self.name}: apt cannot upgrade: {printable(wrong)}",
                usually="a package source does not answer, or a hold or pin contradicts what others need.",
                next_step="run `apt-get update` and `apt-get --simulate full-upgrade` there, mend what they say.",
            )
        try:
            return upgrade_apt.parse(text, str(answer.get("sizes")))
        except ValueError as error:
            raise self._odd(f"has an apt that could not be understood: {printable(str(error))}") from error

    def switch(self, do: str, units: Sequence[str]) -> dict[str, str]:
        """Stop or start units in this order; how each stands then."""
        if not units:
            return {}
        answer = self.call(do, units=list(units), timeout_s=UNITS_S * (len(units) + 1), within_s=UNITS_S)
        found = answer.get("units")
        return {str(unit): str(state) for unit, state in found.items()} if isinstance(found, dict) else {}

    def apply(self, attempt: str) -> None:
        """Change the packages and wait for the end, whatever happens to connections; raises UpgradeError."""
        wait_s = self.fleet.upgrade.lock_timeout_s
        until = time.monotonic() + self.fleet.upgrade.apply_timeout_minutes * 60
        do = "apply"
        while time.monotonic() < until:
            try:
                answer = self.call(do, attempt=attempt, lock_timeout_s=wait_s)
            except UnreachableError:  # an upgrade may restart sshd, tailscaled or the network; the host goes on
                answer = {}
            do = "apply" if answer.get("state") == "none" else "applied" if answer else do
            if answer.get("state") == "done":
                self._ended(answer)
                return
            time.sleep(POLL_S)
        raise UpgradeError(
            f"{self.name}: its packages were not changed within {self.fleet.upgrade.apply_timeout_minutes:.0f} min.",
            usually="a package source is very slow, or a package's script waits for somebody.",
            next_step="`journalctl -u sparkfleet-upgrade` and `systemctl status sparkfleet-upgrade` there.",
        )

    def _ended(self, answer: dict[str, Any]) -> None:
        if answer.get("code") == 0:
            return
        lines = str(answer.get("log")).strip().splitlines()
        wrong = [line for line in lines if line.startswith(("E:", "dpkg: error"))][-1:] or lines[-1:] or ["no word"]
        raise UpgradeError(
            f"{self.name}: apt ended with code {answer.get('code')}: {printable(wrong[0])}",
            usually="a package's script failed, or its download.",
            next_step="its log is in /var/lib/sparkfleet/upgrade there; `dpkg --configure -a` shows what is open.",
        )

    def reboot(self, before: str) -> str:
        """Reboot, unless it was done since the boot `before`; returns the new boot id when everything is started.

        Raises UpgradeError when the host does not come back in time.
        """
        until = time.monotonic() + self.fleet.upgrade.boot_timeout_minutes * 60
        asked, why = False, ""
        while time.monotonic() < until:
            try:
                found = self.boot_id()
                if found != before:
                    return found
                if not asked:
                    self.call("reboot", boot_id=before)
                    asked = True
            except UnreachableError as error:  # it is on its way down or up
                asked, why = True, error.what
            time.sleep(1.0)
        state = f"does not answer: {why}" if why else "still runs the boot from before"
        raise UpgradeError(
            f"{self.name} was told to reboot and within {self.fleet.upgrade.boot_timeout_minutes:.0f} min {state}",
            usually="it waits at its firmware or GRUB, a job does not end, or the kernel does not start.",
            next_step="look at its screen; a GB10 has no remote console. In GRUB's menu the old kernel is still there.",
        )

    def wait(self) -> None:
        """Return once it lets us in; raises UnreachableError when it does not within the time of a boot."""
        until = time.monotonic() + self.fleet.upgrade.boot_timeout_minutes * 60
        while True:
            try:
                Session(self.target).close()
            except UnreachableError:
                if time.monotonic() > until:
                    raise
                time.sleep(1.0)
            else:
                return

    def boot_id(self) -> str:
        """Of the running boot, once systemd has started everything that it starts."""
        with Session(self.target) as session:
            said = session.run("cat /proc/sys/kernel/random/boot_id; systemctl is-system-running --wait || :",
                               timeout_s=STARTED_S)  # fmt: skip
        found = (said.stdout.split() or [""])[0]
        if not re.fullmatch(BOOT_ID, found):
            raise self._odd("does not tell its boot id")
        return found

    def _odd(self, what: str) -> SparkfleetError:
        return UpgradeError(
            f"{self.name} {what}.",
            usually="the disk is full or read-only, the automation user lost its sudo rule, or somebody has the host.",
            next_step="look at the machine; then go on.",
        )
