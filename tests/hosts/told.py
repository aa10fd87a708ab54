"""What a host says of itself → values: a property for each thing, with the command that asks for it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from asking import answer
from reading import Journald, KeyFile, bare_key, in_tailnet, listeners, show_rows, stat_rows

if TYPE_CHECKING:
    from reading import Listener, Stat

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


class Told:
    """The answers of one host, asked together and read where a check wants one; see `asking`."""

    wanted: dict[str, Any]

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

    @answer("ss -lntupH")
    def listeners(self, said: str) -> list[Listener]:
        """Every TCP socket that accepts connections and every UDP socket that takes packets from anybody."""
        return listeners(said)

    @answer(lambda wanted: f"systemctl show --property={UNIT_PROPERTIES} {' '.join(wanted['units'])}")
    def units(self, said: str) -> dict[str, dict[str, str]]:
        """What systemd says of the described units, by name."""
        return {row["Id"]: row for row in show_rows(said)}

    @answer("systemctl list-units --state=failed --plain --no-legend")
    def failed_units(self, said: str) -> list[str]:
        """The units that systemd calls failed."""
        return [row.split()[0] for row in said.splitlines() if row]

    @answer(lambda wanted: f"cat {wanted['sysfs']}/module/nvidia/version 2>/dev/null || true")
    def driver(self, said: str) -> str:
        """The version of the loaded NVIDIA driver; empty when there is none."""
        return said.strip()

    @answer(
        """systemd-analyze cat-config systemd/journald.conf; echo; echo ----; journalctl --quiet --boot -o json -n 1
        MESSAGE_ID=ec387f577b844b8fa948f33cad9a75e6 "JOURNAL_NAME=System Journal"; ls -d /var/log/journal/*/system.journal
        """.replace("\n", " ")
    )
    def journald(self, said: str) -> Journald:
        """Its settings; what it said of its size when it opened its files (SD_MESSAGE_JOURNAL_USAGE); those on disk."""
        settings, _, rest = said.partition("\n----\n")
        pairs = (line.partition("=")[::2] for line in settings.splitlines() if not line.startswith("#") and "=" in line)
        lines = rest.splitlines()
        said_itself = json.loads(lines[0]) if lines and lines[0].startswith("{") else {}
        return Journald(dict(pairs), said_itself, [line for line in lines if line.startswith("/")])

    @answer("readlink /etc/localtime")
    def timezone(self, said: str) -> str:
        """Where /etc/localtime leads."""
        return said.strip()

    @answer("timedatectl show --property=NTPSynchronized --value")
    def clock(self, said: str) -> str:
        """Whether the clock follows a time server: "yes" or "no"."""
        return said.strip()

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

    @answer("modprobe --showconfig")
    def modprobe(self, said: str) -> dict[str, str]:
        """Module → the command that is run in the place of loading it."""
        rows = (line.split(maxsplit=2) for line in said.splitlines() if line.startswith("install "))
        return {row[1].replace("-", "_"): row[2].strip() for row in rows}

    @answer("cut -d' ' -f1 /proc/modules")
    def modules(self, said: str) -> set[str]:
        """The modules that the kernel has loaded."""
        return set(said.split())

    @staticmethod
    def _pairs(said: str) -> dict[str, str]:
        pairs = (line.split(" = ", 1) for line in said.splitlines() if " = " in line)
        return {key: " ".join(value.split()) for key, value in pairs}

    @answer("nft -j list ruleset")
    def ruleset(self, said: str) -> list[dict[str, Any]]:
        """Every nftables rule that the kernel has, as nft's JSON objects."""
        return list(json.loads(said)["nftables"])

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

    # Against a table made of its file where no packet passes: a network namespace that ends with the command.
    @answer(
        """nft -s list table inet sparkfleet; echo; echo ----; unshare --net sh -c
        "nft -f /etc/sparkfleet/firewall.nft && nft -s list table inet sparkfleet" """.replace("\n", " ")
    )
    def firewall_and_its_file(self, said: str) -> tuple[list[str], list[str]]:
        """Our table as it is in force, and as its file would make it, rule by rule."""
        in_force, _, by_file = said.partition("\n----\n")
        return [line for line in in_force.splitlines() if line], by_file.splitlines()

    @answer("ip -j address")
    def addresses(self, said: str) -> list[str]:
        """The host's own addresses that others may route to, but for those of its tailnet."""
        every = (one for link in json.loads(said) for one in link["addr_info"] if one["scope"] == "global")
        return [one["local"] for one in every if not in_tailnet(one["local"])]

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
