"""The journal of what a host was, and the host as it is → everything that a reset takes back, and what it keeps.

Standard library only; nothing is changed. `plan` asks the host, the functions below it decide.
"""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

import contextlib
import glob
import json
import os
import pwd
import re
import subprocess

from ansible_collections.sparkfleet.host.plugins.module_utils import before, before_paths, facts, marker

STATE = "/var/lib/sparkfleet"
# Of the state folder; all else in it is kept and named.
GENERATED = (STATE + "/marker.json", STATE + "/metrics", STATE + "/rotation.json")
OURS = (
    "/etc/sparkfleet",
    "/etc/apt/keyrings/sparkfleet-*",
    "/etc/systemd/system/sparkfleet-guard.service",
    "/etc/systemd/system/sysinit.target.wants/sparkfleet-guard.service",
    "/home/*/.ipython/profile_default/startup/00-sparkfleet.py",
    "/opt/sparkfleet",
    "/usr/local/lib/sparkfleet",
    "/var/lib/private/sparkfleet-*",
    "/var/lib/sparkfleet-authority",
    "/var/lib/sparkfleet-gb10*",
    "/var/lib/sparkfleet-guard",
)
UNIT = re.compile(re.escape(facts.UNIT_FOLDER) + r"[^/@]+@?\.(service|timer|socket|path|mount)$")
MAINTAINER = ("preinst", "postinst", "config")
CONSOLE_HASH = "/etc/sparkfleet/console-password"
INFO = "/var/lib/dpkg/info/"
PACKAGED_UNIT = re.compile(r"(/usr)?/lib/systemd/system/[^/@]+\.(service|timer|socket|path)$")
DATA_FOLDERS = (("/etc/sparkfleet/datasets.json", "folder"), ("/etc/sparkfleet/label.json", "workspace"))
OWN_ACCOUNTS = ("sparkfleet-label",)  # of templates/etc/sysusers.d, which may be gone with its role
DATA_ELSEWHERE = ("/var/lib/private/ollama",)
DATA = re.compile(r"/var/lib/[^/]+$")
FIRST_PERSON = 1000  # adduser.conf
UP = ("active", "activating", "reloading")
TIMEOUT_S = 120


def plan(user):
    """What a reset of this host does, by kind; the automation user's own way in stays, with the key it has now."""
    paths, units, merged = before.records("path"), before.records("unit"), merged_files()
    shown = facts.units(run(*facts.ASK_UNITS, *units)[1]) if units else {}
    found = {
        "paths": sorted(path for path, was in paths.items() if changed(path, was)),
        "merged": merged,
        "ours": sorted(path for pattern in [*OURS, *GENERATED, ansible_of(user)] for path in glob.glob(pattern)),
        "units": unit_steps(units, shown, paths),
        "packages": package_steps(before.records("package"), installed()),
        "people": people_steps(before.records("user"), user),
        "system_accounts": [],
        "sysctls": {key: was for key, was in before.records("sysctl").items() if _now(key) not in (was, None)},
        "tailnet": tailnet_joined(before.records("tailnet")),
        "kept": kept(),
    }
    found["packages"] = removable(found["packages"])
    shipped = shipped_by(found["packages"]["purge"])
    found["data"] = sorted(path for path in shipped if DATA.match(path) and os.path.isdir(path) and os.listdir(path))
    # Not all packages stop what they brought: unattended-upgrades leaves its process.
    found["units"]["stop"] += sorted(os.path.basename(path) for path in shipped if PACKAGED_UNIT.match(path))
    found["system_accounts"] = made_by(found["packages"]["purge"], before.records("accounts").get("all"))
    return found


def changed(path, was):
    """Whether a path is not what it was."""
    return before_paths.differs(was, before.state_of(path))


def merged_files():
    """Files of somebody else's that hold values of ours: path to the pointers."""
    found = {}
    for key in marker.load().get("managed", {}):
        if key.startswith("json:"):
            path, _, pointer = key[len("json:") :].partition("#")
            found.setdefault(os.path.realpath(path), []).append(pointer)
    noted = before.records("merged")
    return {path: pointers for path, pointers in found.items() if path in noted}


def unit_steps(was, now, paths):
    """Which units to stop and disable before anything is taken away, and to enable and start when it is back."""

    def up(row):
        return row.get("ActiveState") in UP

    def enabled(row):
        return row.get("UnitFileState") == "enabled"

    new = [path for path, at in paths.items() if at["kind"] == "absent" and UNIT.match(path)]
    new = [os.path.basename(path) for path in new if os.path.isfile(path) and not os.path.islink(path)]  # no masks
    stop = [name for name, row in was.items() if not up(row) and up(now.get(name, {}))]
    return {
        # Of a template its instances, whatever they are called.
        "stop": sorted({*stop, *(name.replace("@.", "@*.") for name in new)}),
        "disable": sorted(name for name, row in was.items() if not enabled(row) and enabled(now.get(name, {}))),
        "enable": sorted(name for name, row in was.items() if enabled(row)),
        "start": sorted(name for name, row in was.items() if up(row)),
    }


def package_steps(was, now):
    """Packages to purge, to bring back, and those that only have another version; `now`: name to version."""
    return {
        "purge": sorted(name for name, version in was.items() if not version and name in now),
        "bring_back": sorted(name for name, version in was.items() if version and name not in now),
        "newer": sorted(name for name, version in was.items() if version and now.get(name, version) != version),
        "needed": {},
    }


def removable(packages):
    """Without the packages that somebody else's need; those stand in `needed`, with who needs them."""
    ours = packages["purge"]
    if not ours or not _foreign(ours, ours):
        return packages
    needed = {name: others for name in ours for others in [_foreign([name], ours)] if others}
    return dict(packages, purge=[name for name in ours if name not in needed], needed=needed)


def _foreign(names, ours):
    """What apt-get would take away beside our own."""
    _rc, said = run("apt-get", "--simulate", "-q", "purge", *names)
    gone = re.findall(r"^(?:Purg|Remv) (\S+)", said, re.MULTILINE)
    return sorted(name for name in gone if name not in ours)


def people_steps(was, user):
    """Accounts to remove, and for those that stay: groups and password as they were."""
    now = {name: facts.account(name) for name in was}
    both = {name: (one, now[name]) for name, one in was.items() if one and now[name] and name != user}
    ours = text_of(CONSOLE_HASH).strip()
    sudo = {n: ("sudo" in one["groups"], "sudo" in at["groups"]) for n, (one, at) in both.items()}
    return {
        "remove": sorted(name for name, one in was.items() if one is None and now[name] and name != user),
        "join_sudo": sorted(name for name, (before, after) in sudo.items() if before and not after),
        "leave_sudo": sorted(name for name, (before, after) in sudo.items() if after and not before),
        # A password that the person set since then is theirs.
        "password": sorted(n for n, (one, at) in both.items() if ours and at["hash"] == ours != one["hash"]),
    }


def shipped_by(packages):
    """Every path that these packages brought."""
    lists = [path for name in packages for end in ("", ":*") for path in glob.glob(INFO + name + end + ".list")]
    return {line for path in lists for line in text_of(path).splitlines()}


def ansible_of(user):
    """Where Ansible works for the automation user."""
    return os.path.join(pwd.getpwnam(user).pw_dir, ".ansible")


def made_by(packages, known):
    """System accounts and groups of these packages and ours: unknown before the first install, named by who ships."""
    if known is None:
        return []
    texts = []
    for name in packages:
        texts += [text_of(path) for end in MAINTAINER for path in glob.glob("%s%s*.%s" % (INFO, name, end))]
    sysusers = [path for path in shipped_by(packages) if path.startswith("/usr/lib/sysusers.d/")]
    text = "\n".join([*texts, *map(text_of, sysusers)])
    people = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid >= FIRST_PERSON}
    new = [name for name in facts.accounts() if name not in known and name not in people]
    return [name for name in new if name in OWN_ACCOUNTS or re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(name), text)]


def kept():
    """What a reset leaves: data, and what was put aside."""
    gone = (*GENERATED, before.FOLDER)
    named = [*sorted(glob.glob(STATE + "/*")), *DATA_ELSEWHERE]
    for settings, key in DATA_FOLDERS:
        with contextlib.suppress(ValueError, KeyError):
            named.append(json.loads(text_of(settings))[key])
    return [path for path in dict.fromkeys(named) if path not in gone and os.path.exists(path)]


def tailnet_joined(was):
    """Whether the host was in no tailnet before us, and is in one now."""
    if was.get("state", "Running") in ("Running", "Stopped"):
        return False
    return '"BackendState": "Running"' in run("tailscale", "status", "--json", "--peers=false")[1]


def installed():
    """Every installed package and its version."""
    _rc, said = run("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n")
    rows = (line.split() for line in said.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}


def run(*command):
    """Exit code and output; 127 when there is no such program."""
    environment = dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive", NEEDRESTART_MODE="l")
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment, timeout=TIMEOUT_S * 5, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return 127, "%s is not there" % command[0]
    except subprocess.TimeoutExpired:
        return 1, "%s did not end" % command[0]
    return done.returncode, done.stdout.decode(errors="replace")


def was_applied():
    """Whether there is anything to reset."""
    return bool(marker.load()) or os.path.exists(before.FOLDER)


def _now(key):
    """A kernel setting as it is; None when it cannot be read."""
    try:
        with open(facts.sysctl_file(key), encoding="ascii", errors="replace") as f:
            return f.read().strip()
    except OSError:
        return None


def text_of(path):
    """A file's text; nothing when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""
