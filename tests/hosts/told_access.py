"""What a host says of the ways in → values: a property for each thing, with the command that asks for it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from asking import answer
from reading import KeyFile, bare_key, due, in_tailnet, listeners, stat_rows

if TYPE_CHECKING:
    from reading import Listener, Stat

KEYS_FOLDER = "/etc/ssh/authorized_keys"
# What `files` looks at; patterns stand for all that match them.
WATCHED = (
    "/etc/ssh", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d", "/etc/ssh/sshd_config.d/*", "/etc/ssh/ssh_host_*",
    KEYS_FOLDER, "/etc/passwd", "/etc/passwd-", "/etc/group", "/etc/group-", "/etc/shadow", "/etc/shadow-",
    "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d", "/etc/sudoers.d/*", "/etc/sparkfleet",
    "/etc/sparkfleet/*", "/var/lib/sparkfleet", "/var/lib/sparkfleet-guard", "/usr/local/lib/sparkfleet",
    "/usr/local/lib/sparkfleet/*", "/var/lib/tailscale", "/var/lib/tailscale/*",
)  # fmt: skip


class ToldOfAccess:
    """Sshd, accounts, sudo, the firewall, files, what is written down, and the tailnet."""

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
        -not -type d"""
    )
    def newer_than_sshd(self, said: str) -> list[str]:
        """The files of sshd's settings that were changed after the running sshd had read them."""
        return said.split()

    # ss reads whose sockets there are before it reads the sockets: one that was opened in between is nobody's. Such a
    # one is asked for again: tailscaled opens some for a moment.
    @answer(
        """for try in 1 2 3 4; do said=$(ss -lntupH); printf '%s' "$said" | grep -qv 'users:' || break; sleep 0.3; done;
        echo "$said" """
    )
    def listeners(self, said: str) -> list[Listener]:
        """Every TCP socket that accepts connections and every UDP socket that takes packets from anybody."""
        return listeners(said)

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
        "nft -f /etc/sparkfleet/firewall.nft && nft -s list table inet sparkfleet" """
    )
    def firewall_and_its_file(self, said: str) -> tuple[list[str], list[str]]:
        """Our table as it is in force, and as its file would make it, rule by rule."""
        in_force, _, by_file = said.replace("\n\n", "\n").partition("\n----\n")  # a line between two chains is none
        return in_force.splitlines(), by_file.splitlines()

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
            f"""stat --printf='%U %G %a %F\\t%n\\n' -- {" ".join((*WATCHED, *wanted["secret_files"]))} 2>/dev/null;
        true"""
        )
    )
    def files(self, said: str) -> dict[str, Stat]:
        """Owner, group and mode of everything in WATCHED and of the described secrets, as far as it is there."""
        return stat_rows(said)

    # As sudo gives it to whoever becomes root: the folders, and the files in them that others own or may write to.
    @answer(
        """echo "$PATH"; IFS=:; for folder in $PATH; do stat -L --printf='%U %G %a %F\\t%n\\n' "$folder" &&
        find -L "$folder" -maxdepth 1 -type f '(' -perm /022 -o ! -user root ')' -printf '%u %g %m %y\\t%p\\n';
        done || true"""
    )
    def root_path(self, said: str) -> tuple[str, dict[str, Stat]]:
        """Root's PATH, and what there is to say of its folders."""
        path, _, rows = said.partition("\n")
        return path, stat_rows(rows)

    # Where packages and people put programs; not the data of people and containers, which has millions of files.
    # A package may know a program of /usr by its name from before /usr was merged.
    @answer(
        """cd /; found=$(find usr opt etc root run tmp var/tmp dev/shm home -maxdepth 9 -xdev -type f -perm /6000
        2>/dev/null); echo "$found"; echo; echo ----; { echo "$found"; echo "$found" | sed -n s,^usr/,,p; } |
        sed s,^,/, | grep -hxFf - /var/lib/dpkg/info/*.list || true"""
    )
    def setuid_files(self, said: str) -> dict[str, bool]:
        """Every program that runs as somebody else than who starts it → whether it belongs to a package."""
        found, _, known = said.partition("\n----\n")
        packaged = set(known.splitlines())
        paths = (f"/{path}" for path in found.splitlines() if path)
        return {path: path in packaged or path.removeprefix("/usr") in packaged for path in paths}

    @answer(
        """found=$(find /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/crontab
        /var/spool/cron/crontabs /var/spool/cron/atjobs -type f 2>/dev/null); echo "$found" | grep -hxFf - -r
        /var/lib/dpkg/info --include=*.list | sed s,^,known:, ; echo "$found";
        systemctl show '*.timer' --property=FragmentPath --value"""
    )
    def schedules(self, said: str) -> set[str]:
        """Files that start something at certain times and belong to no package: cron's, at's and systemd's timers."""
        lines = {line for line in said.splitlines() if line and not line.endswith("/.placeholder")}
        known = {line.removeprefix("known:") for line in lines if line.startswith("known:")}
        return {one for one in lines - known if not one.startswith(("known:", "/usr/lib/", "/lib/"))}

    @answer(
        """ls -d /etc/hosts.equiv /etc/shosts.equiv /root/.rhosts /root/.shosts /root/.netrc /home/*/.rhosts
        /home/*/.shosts /home/*/.netrc 2>/dev/null || true"""
    )
    def trusting_files(self, said: str) -> list[str]:
        """Files by which old programs trust other machines, or keep passwords for them."""
        return said.splitlines()

    # The asking itself runs by sudo, which says so before it starts anything; the journal has it a moment later.
    @answer(
        """p=$PPID; while [ "$p" -gt 1 ]; do [ "$(cat /proc/$p/comm)" != sudo ] || ours=$p;
        p=$(awk '/^PPid:/ {print $2}' /proc/$p/status); done; for try in 1 2 3 4 5 6 7 8; do
        journalctl --quiet --identifier=sudo --since=-60s -o cat "_PID=$ours" | grep -F 'COMMAND=' && break; sleep 0.2;
        done || true"""
    )
    def sudo_told(self, said: str) -> list[str]:
        """What sudo told the journal of the very question that this is an answer to."""
        return said.splitlines()

    @answer("if systemd-detect-virt -q --container; then cat /etc/audit/rules.d/*.rules; else auditctl -l; fi")
    def audit_rules(self, said: str) -> list[str]:
        """What the kernel writes down; of a container, which has no audit of its own, what its files say."""
        return [line.strip() for line in said.splitlines() if line.startswith("-")]

    @answer(
        """for unit in ssh tailscaled; do pid=$(systemctl show "$unit" --property=MainPID --value); echo "$unit"
        "$(cat "/proc/$pid/oom_score_adj" 2>/dev/null)"; done; echo own "$(cat /proc/self/oom_score_adj)"
        """
    )
    def oom_scores(self, said: str) -> dict[str, str]:
        """How much the kernel prefers to end sshd, tailscaled, and what somebody's login starts ("own")."""
        return {name: score for name, _, score in (line.partition(" ") for line in said.splitlines())}

    @answer(
        """test ! -e /var/lib/sparkfleet-guard/armed.json || cat /var/lib/sparkfleet-guard/armed.json; echo;
        echo ----; systemctl list-units 'sparkfleet-guard-*.timer' --state=active --plain --no-legend
        """
    )
    def guard(self, said: str) -> tuple[bool, bool]:
        """Whether a change of the way in waits to be confirmed, and whether a timer would undo it."""
        armed, _, timers = said.partition("\n----\n")
        return bool(armed.strip()), bool(timers.strip())

    @answer("cat /run/sparkfleet/holder.json 2>/dev/null || true")
    def lock_holder(self, said: str) -> dict[str, Any]:
        """Who has, or had, the host's lock."""
        return dict(json.loads(said)) if said.strip() else {}

    @answer("date +%s; cat /var/lib/sparkfleet/metrics/rotation.prom 2>/dev/null || true")
    def due_dates(self, said: str) -> tuple[float, dict[str, float]]:
        """The host's time, and when each kind of key is due, both in seconds since 1970."""
        now, _, text = said.partition("\n")
        return float(now), due(text)

    @answer(lambda wanted: "tailscale status --json --peers=false" if wanted["tailnet"] else "echo {}")
    def tailnet_status(self, said: str) -> dict[str, Any]:
        """How the host stands in its tailnet."""
        return dict(json.loads(said))

    @answer(lambda wanted: "tailscale debug prefs" if wanted["tailnet"] else "echo {}")
    def tailnet_settings(self, said: str) -> dict[str, Any]:
        """The node's own settings."""
        return dict(json.loads(said))

    @answer(lambda wanted: "tailscale serve status --json" if wanted["tailnet"] else "echo {}")
    def tailnet_serves(self, said: str) -> dict[str, Any]:
        """What the node serves to its tailnet; empty when it is nothing."""
        return dict(json.loads(said or "{}"))
