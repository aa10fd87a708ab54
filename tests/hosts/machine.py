"""A live host, over one SSH connection → what it says of itself; each thing is read once and kept. Changes nothing.

What the properties need is asked in one round trip (`asking`); `says` is for what only one check wants to know, or what
depends on an answer. Everything runs as root: the automation user has sudo. From outside: `door`.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from asking import Answers, LostError, answer, ask
from door import Door
from reading import KeyFile, Listener, bare_key, listeners, show_rows, stat_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from reading import Offer, Stat
    from testinfra.host import Host

KEYS_FOLDER = "/etc/ssh/authorized_keys"
UNIT_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,MainPID,Result,NeedDaemonReload,Before,ControlGroup,"
    "MemoryMin,OOMScoreAdjust,Restart,StateChangeTimestampMonotonic"
)
# What `files` looks at; patterns stand for all that match them.
WATCHED = (
    "/etc/ssh", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d", "/etc/ssh/sshd_config.d/*", "/etc/ssh/ssh_host_*",
    KEYS_FOLDER, "/etc/passwd", "/etc/passwd-", "/etc/group", "/etc/group-", "/etc/shadow", "/etc/shadow-",
    "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/sudoers.d/*", "/etc/sparkfleet",
    "/etc/sparkfleet/*", "/var/lib/sparkfleet", "/var/lib/sparkfleet-guard", "/usr/local/lib/sparkfleet",
    "/usr/local/lib/sparkfleet/*", "/var/lib/tailscale", "/var/lib/tailscale/*",
)  # fmt: skip
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


class Machine:
    """`wanted` is the host's part of the request: what the fleet description says, as plain JSON."""

    def __init__(self, name: str, wanted: dict[str, Any], connection: Host, ssh_config: str, old_key: str = "") -> None:
        self.name, self.wanted, self.old_key = name, wanted, old_key
        self._host, self._ssh = connection, ["ssh", "-F", ssh_config, name]
        self._lost = ""
        self.door = Door(wanted["address"], wanted["port"], self._ssh)

    @cached_property
    def answers(self) -> Answers:
        """Everything that was declared with `answer`, from one round trip."""
        return ask(self._ssh, self.wanted)

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

    # The settings in force for each user (Match blocks included), for a connection from this controller.
    @answer(
        lambda wanted: (
            f"""set -e; for user in root nobody {" ".join(wanted["users"])}; do echo "user $user";
        sshd -T -C "user=$user,host=controller,addr={{controller}}"; done"""
        )
    )
    def sshd(self, said: str) -> dict[str, dict[str, list[str]]]:
        """The settings in force, by user and word."""
        found: dict[str, dict[str, list[str]]] = {}
        for line in said.splitlines():
            word, _, value = line.partition(" ")
            if word == "user":
                words = found.setdefault(value, defaultdict(list))
            else:
                words[word].append(value)
        return found

    # A reload changes the unit's state, too. Sockets that start an sshd a connection have no ssh.service.
    @answer(
        """find /etc/ssh/sshd_config /etc/ssh/sshd_config.d -newermt
        "$(systemctl show ssh.service --timestamp=us --property=StateChangeTimestamp --value | cut -d" " -f2,3)"
        -not -type d""".replace("\n", " ")
    )
    def newer_than_sshd(self, said: str) -> list[str]:
        """The files of sshd's settings that were changed after the running sshd had read them."""
        return said.split()

    @cached_property
    def offer(self) -> Offer:
        """Which algorithms and host keys sshd offers to anybody who comes."""
        return self.door.offer()

    @answer("ss -lntupH")
    def listeners(self, said: str) -> list[Listener]:
        """Every TCP socket that accepts connections and every UDP socket that takes packets from anybody."""
        return listeners(said)

    @answer(lambda wanted: f"systemctl show --property={UNIT_PROPERTIES} {' '.join(wanted['units'])}")
    def units(self, said: str) -> dict[str, dict[str, str]]:
        """What systemd says of the described units, by name."""
        return {row["Id"]: row for row in show_rows(said)}

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

    @answer("apt-config dump")
    def apt(self, said: str) -> dict[str, list[str]]:
        """The configuration in force for apt; a list's name ends in ::."""
        found: dict[str, list[str]] = defaultdict(list)
        for line in said.splitlines():
            key, _, value = line.partition(" ")
            found[key].append(value.rstrip(";").strip('"'))
        return found

    @answer("systemd-detect-virt --container || true")
    def container(self, said: str) -> str:
        """Which kind of container this is; empty on a machine of its own."""
        return said.strip().removeprefix("none")

    @answer(lambda wanted: "sysctl --ignore " + " ".join(wanted["sysctls"]))
    def sysctls(self, said: str) -> dict[str, str]:
        """The described kernel settings as they are now; one that this kernel lacks is left out."""
        return self._pairs(said)

    @answer("cat /etc/sysctl.d/60-sparkfleet.conf")
    def sysctl_file(self, said: str) -> dict[str, str]:
        """The same as our file sets them at every start."""
        return self._pairs(said)

    @staticmethod
    def _pairs(said: str) -> dict[str, str]:
        pairs = (line.split(" = ", 1) for line in said.splitlines() if " = " in line)
        return {key: " ".join(value.split()) for key, value in pairs}

    @answer("nft -j list ruleset")
    def ruleset(self, said: str) -> list[dict[str, Any]]:
        """Every nftables rule that the kernel has, as nft's JSON objects."""
        return list(json.loads(said)["nftables"])

    @property
    def firewall(self) -> list[dict[str, Any]]:
        """Our nftables table's part of it; empty when there is no such table."""
        parts = (next(iter(entry.values())) for entry in self.ruleset)
        ours = [("sparkfleet" in (part.get("name"), part.get("table"))) and part["family"] == "inet" for part in parts]
        return [entry for entry, is_ours in zip(self.ruleset, ours, strict=True) if is_ours]

    @answer("cvtsudoers -f json /etc/sudoers")
    def sudoers(self, said: str) -> dict[str, Any]:
        """The whole sudo policy, included files and all, as JSON."""
        return dict(json.loads(said))

    @answer("getent passwd")
    def accounts(self, said: str) -> dict[str, list[str]]:
        """Account → the other fields of its line in passwd, the uid second of them."""
        return {name: rest for name, *rest in (line.split(":") for line in said.splitlines())}

    # Never the hashes themselves.
    @answer("""awk -F: '{print $1, $2 == "" ? "empty" : $2 ~ /^[!*]/ ? "locked" : "set"}' /etc/shadow""")
    def passwords(self, said: str) -> dict[str, str]:
        """Account → whether its password is "empty", "locked" or "set"."""
        return dict(line.split(" ", 1) for line in said.splitlines())

    @answer("getent group sudo")
    def sudo_group(self, said: str) -> set[str]:
        """The members of the group sudo."""
        return set(said.strip().split(":")[3].split(",")) - {""}

    @answer(f"find {KEYS_FOLDER} -mindepth 1 -printf '%P\\t%u\\t%m\\n'; echo; grep -rH '' {KEYS_FOLDER} || true")
    def key_files(self, said: str) -> dict[str, KeyFile]:
        """What lies in the folder of authorized keys, by file name."""
        rows, _, text = said.partition("\n\n")
        lines: dict[str, set[str]] = defaultdict(set)
        for row in text.splitlines():
            file, _, line = row.removeprefix(f"{KEYS_FOLDER}/").partition(":")
            if line.strip() and not line.startswith("#"):
                lines[file].add(bare_key(line))
        files = (row.split("\t") for row in rows.splitlines() if row)
        return {name: KeyFile(owner, int(mode, 8), frozenset(lines[name])) for name, owner, mode in files}

    @answer(
        lambda wanted: (
            f"""stat -c '%U %G %a %F	%n' -- {" ".join((*WATCHED, *wanted["secret_files"]))} 2>/dev/null
        true"""
        )
    )
    def files(self, said: str) -> dict[str, Stat]:
        """Owner, group and mode of everything in WATCHED and of the described secrets, as far as it is there."""
        return stat_rows(said)

    def fetch(self, *urls: str) -> dict[str, str]:
        """What each URL answers to the host itself: its text, or words that begin with "no answer" or "HTTP"."""
        return dict(json.loads(self.says("python3 -I -c %s " + " ".join(["%s"] * len(urls)), FETCH, *urls)))


def eventually(read: Callable[[], list[str]], within_s: float) -> list[str]:
    """Complaints, read again until there are none or the time is over: for what a service does on its own beat."""
    until = time.monotonic() + within_s
    while (complaints := read()) and time.monotonic() < until:
        time.sleep(0.5)
    return complaints
