"""A live host, over one SSH connection → what it says of itself; each thing is read once and kept. Changes nothing.

What the properties need is asked in one round trip (`asking`); `says` is for what only one check wants to know, or what
depends on an answer. Everything runs as root: the automation user has sudo. From outside: `door`.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from asking import Answers, LostError, ask
from door import Door
from told import Told
from told_alignment import ToldOfAlignment
from told_connectx import ToldOfConnectX
from told_containers import ToldOfContainers
from told_gpu import ToldOfGpu
from told_identity import ToldOfIdentity
from told_jupyter import ToldOfJupyter
from told_label import ToldOfLabel
from told_memory import ToldOfMemory
from told_node import ToldOfNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from reading import Offer
    from testinfra.host import Host

# A process of the host fetches: what listens on loopback is not to be reached from elsewhere, and curl may be missing.
FETCH = """
import json, sys, urllib.error, urllib.request
found = {}
for url in sys.argv[1:]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            found[url] = answer.read().decode()
    except urllib.error.HTTPError as error:
        found[url] = "HTTP %d: %s" % (error.code, error.read().decode()[:200])
    except OSError as error:
        found[url] = "no answer: %s" % error
print(json.dumps(found))
"""


class Machine(
    ToldOfAlignment,
    ToldOfConnectX,
    ToldOfContainers,
    ToldOfGpu,
    ToldOfMemory,
    ToldOfIdentity,
    ToldOfJupyter,
    ToldOfLabel,
    ToldOfNode,
    Told,
):
    """`wanted` is the host's part of the request: what the fleet description says, as plain JSON."""

    def __init__(self, name: str, wanted: dict[str, Any], connection: Host, ssh_config: str, old_key: str = "") -> None:
        self.name, self.wanted, self.old_key = name, wanted, old_key
        self._host, self._ssh = connection, ["ssh", "-F", ssh_config, name]
        self._lost = ""
        self.door = Door(wanted["address"], wanted["port"], self._ssh)
        self._outside = ThreadPoolExecutor(2)

    @cached_property
    def answers(self) -> Answers:
        """Everything that was declared with `answer`, from one round trip; the door is asked meanwhile."""
        self._offers = self._outside.submit(self.door.offers, ["root", self.wanted["automation_user"]])
        self._knock = self._outside.submit(self.door.knock_all, [("", port) for port in self.wanted["scraped_ports"]])
        return ask(self._ssh, self.wanted)

    @property
    def login_offers(self) -> dict[str, str]:
        """Which ways to log in sshd offers to root and the automation user who show nothing."""
        self.told("accounts")
        return self._offers.result()

    @property
    def scraped_ports_meet(self) -> dict[int, str]:
        """What this controller meets at the ports of exporters: "open", "refused" or "silent"."""
        self.told("accounts")
        return {port: met for (_, port), met in self._knock.result().items()}

    def told(self, name: str) -> str:
        """What the command of a declared answer printed; its failure is the check's failure."""
        assert not self._lost, self._lost
        try:
            said = self.answers.said[name]
        except LostError as error:
            self._lost = f"{self.name} stopped answering: {error}"
            raise AssertionError(self._lost) from error
        assert said.code == 0, f"`{name}` could not be asked, code {said.code}: {said.err.strip()[:300]}"
        return said.out

    def says(self, command: str, *arguments: str) -> str:
        """What a shell command prints; its failure is the check's failure. %s in it are quoted arguments."""
        assert not self._lost, self._lost
        try:
            done = self._host.run(command, *arguments)
        except RuntimeError as error:  # how testinfra tells that ssh itself failed; do not wait once a check for it
            self._lost = f"{self.name} stopped answering: {str(error.args[0].stderr).strip()[-200:]}"
            raise AssertionError(self._lost) from error
        assert done.rc == 0, f"`{command.splitlines()[0][:80]}` ended with {done.rc}: {done.stderr.strip()[:300]}"
        return str(done.stdout)

    @property
    def controller(self) -> str:
        """This controller's address as the host sees it."""
        self.told("accounts")
        return self.answers.controller

    @cached_property
    def offer(self) -> Offer:
        """Which algorithms and host keys sshd offers to anybody who comes."""
        return self.door.offer()

    def runs(self, unit: str) -> bool:
        """Whether the unit is active now."""
        return self.units[unit]["ActiveState"] == "active"

    def need(self, unit: str, check: str) -> None:
        """Skip what makes no sense without a unit: that it does not run is another check's finding."""
        if not self.runs(unit):
            pytest.skip(f"{unit} does not run: see {check}")

    def journal(self, unit: str, lines: int = 4) -> str:
        """The last words of a unit, as evidence."""
        return self.says(f"journalctl --no-pager --quiet -o cat -n {lines} -u %s", unit).strip()

    @property
    def firewall(self) -> list[dict[str, Any]]:
        """Our nftables table's part of it; empty when there is no such table."""
        parts = (next(iter(entry.values())) for entry in self.ruleset)
        ours = [("sparkfleet" in (part.get("name"), part.get("table"))) and part["family"] == "inet" for part in parts]
        return [entry for entry, is_ours in zip(self.ruleset, ours, strict=True) if is_ours]

    def fetch(self, *urls: str) -> dict[str, str]:
        """What each URL answers to the host itself: its text, or words that begin with "no answer" or "HTTP"."""
        return dict(json.loads(self.says("python3 -I -c %s " + " ".join(["%s"] * len(urls)), FETCH, *urls)))


def eventually(read: Callable[[], list[str]], within_s: float) -> list[str]:
    """Complaints, read again until there are none or the time is over: for what a service does on its own beat."""
    until = time.monotonic() + within_s
    while (complaints := read()) and time.monotonic() < until:
        time.sleep(0.5)
    return complaints
