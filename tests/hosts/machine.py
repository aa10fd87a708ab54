"""A live host, over one SSH connection → what it says of itself; each thing is read once and kept. Changes nothing.

Checks of one host share a Machine, so the whole pack costs a handful of round trips. Everything runs as root: the
automation user has sudo.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from reading import Listener, bare_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from testinfra.host import Host

KEYS_FOLDER = "/etc/ssh/authorized_keys"
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


@dataclass(frozen=True)
class KeyFile:
    """One file of the folder that sshd reads keys from; `keys` as `bare_key` gives them."""

    owner: str
    mode: int
    keys: frozenset[str]


class Machine:
    """`wanted` is the host's part of the request: what the fleet description says, as plain JSON."""

    def __init__(self, name: str, wanted: dict[str, Any], connection: Host, ssh_config: str) -> None:
        self.name, self.wanted = name, wanted
        self._host, self._ssh_config = connection, ssh_config
        self._lost = ""

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

    @cached_property
    def sshd(self) -> dict[str, dict[str, list[str]]]:
        """The settings in force for each user (Match blocks included), for a connection from this controller."""
        users = ["root", "nobody", *self.wanted["users"]]
        ask = f'echo "user $user"; sshd -T -C "user=$user,host=controller,addr={self.wanted["controller_address"]}"'
        found: dict[str, dict[str, list[str]]] = {}
        for line in self.says(f"set -e; for user in {' '.join(users)}; do {ask}; done").splitlines():
            word, _, value = line.partition(" ")
            if word == "user":
                words = found.setdefault(value, defaultdict(list))
            else:
                words[word].append(value)
        return found

    @cached_property
    def offered_methods(self) -> dict[str, str]:
        """Which ways to log in sshd offers to somebody who shows nothing, by user name; asked from the controller."""
        options = ["-F", self._ssh_config, "-o", "PreferredAuthentications=none", "-o", "ControlPath=none"]
        found = {}
        for user in ("root", self.wanted["automation_user"]):
            command = ["ssh", *options, "-l", user, self.name, "true"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            refusal = re.search(r"Permission denied \((.*)\)", done.stderr)
            no_answer = f"no answer: {done.stderr.strip()}" if done.returncode else "a shell, without asking"
            found[user] = refusal[1] if refusal else no_answer
        return found

    @cached_property
    def listeners(self) -> list[Listener]:
        """Every TCP socket that accepts connections."""
        found = []
        for line in self.says("ss -lntpH").splitlines():
            fields = line.split()
            address, _, port = fields[3].rpartition(":")
            process = fields[5].split('"')[1] if len(fields) > 5 else "unknown process"
            found.append(Listener(address, int(port), process))
        return found

    @cached_property
    def units(self) -> dict[str, dict[str, str]]:
        """What systemd says of the described units, by name."""
        wanted = "Id,ActiveState,SubState,UnitFileState,MainPID,Result"
        shown = self.says("systemctl show --property=" + wanted + " " + " ".join(self.wanted["units"]))
        rows = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
        return {row["Id"]: row for row in rows}

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

    @cached_property
    def apt(self) -> dict[str, list[str]]:
        """The configuration in force for apt; a list's name ends in ::."""
        found: dict[str, list[str]] = defaultdict(list)
        for line in self.says("apt-config dump").splitlines():
            key, _, value = line.partition(" ")
            found[key].append(value.rstrip(";").strip('"'))
        return found

    @cached_property
    def sysctls(self) -> dict[str, str]:
        """The described kernel settings as they are now; one that this kernel lacks is left out."""
        said = self.says("sysctl --ignore " + " ".join(self.wanted["sysctls"]))
        pairs = (line.split(" = ", 1) for line in said.splitlines() if " = " in line)
        return {key: " ".join(value.split()) for key, value in pairs}

    @cached_property
    def firewall(self) -> list[dict[str, Any]]:
        """Our nftables table as the kernel has it: nft's JSON objects, empty when there is no such table."""
        said = self.says("nft -j list tables")
        names = [entry["table"]["name"] for entry in json.loads(said)["nftables"] if "table" in entry]
        if "sparkfleet" not in names:
            return []
        return list(json.loads(self.says("nft -j list table inet sparkfleet"))["nftables"])

    @cached_property
    def sudoers(self) -> dict[str, Any]:
        """The whole sudo policy, included files and all, as JSON."""
        return dict(json.loads(self.says("cvtsudoers -f json /etc/sudoers")))

    @cached_property
    def accounts(self) -> dict[str, int]:
        """Account → uid."""
        rows = (line.split(":") for line in self.says("getent passwd").splitlines())
        return {row[0]: int(row[2]) for row in rows}

    @cached_property
    def key_files(self) -> dict[str, KeyFile]:
        """What lies in the folder of authorized keys, by file name."""
        rows = [
            r.split("\t") for r in self.says(f"find {KEYS_FOLDER} -mindepth 1 -printf '%P\\t%u\\t%m\\n'").splitlines()
        ]
        lines: dict[str, set[str]] = defaultdict(set)
        for row in self.says(f"grep -rH '' {KEYS_FOLDER} || true").splitlines():
            file, _, line = row.removeprefix(f"{KEYS_FOLDER}/").partition(":")
            if line.strip() and not line.startswith("#"):
                lines[file].add(bare_key(line))
        return {name: KeyFile(owner, int(mode, 8), frozenset(lines[name])) for name, owner, mode in rows}

    def fetch(self, *urls: str) -> dict[str, str]:
        """What each URL answers to the host itself: its text, or words that begin with "no answer" or "HTTP"."""
        return dict(json.loads(self.says("python3 -I -c %s " + " ".join(["%s"] * len(urls)), FETCH, *urls)))

    def knock(self, port: int) -> str:
        """What this controller meets at a port of the host: "open", "refused" or "silent".

        Silence is awaited for five times as long as sshd needs to accept, so a slow line is no false silence.
        """
        address = self.wanted["address"]
        started = time.monotonic()
        socket.create_connection((address, self.wanted["port"]), 10).close()
        patience_s = max(0.5, 5 * (time.monotonic() - started))
        try:
            socket.create_connection((address, port), patience_s).close()
        except TimeoutError:
            return "silent"
        except OSError:
            return "refused"
        return "open"


def eventually(read: Callable[[], list[str]], within_s: float) -> list[str]:
    """Complaints, read again until there are none or the time is over: for what a service does on its own beat."""
    until = time.monotonic() + within_s
    while (complaints := read()) and time.monotonic() < until:
        time.sleep(0.5)
    return complaints
