"""A host's accounts, kernel settings and units → plain data, as `before` notes them and a reset compares them.

Standard library only; nothing is changed.
"""

from __future__ import absolute_import, annotations, division, print_function

__metaclass__ = type

import grp
import pwd
import re

SYSCTL_FOLDER = "/etc/sysctl.d/"
UNIT_FOLDER = "/etc/systemd/system/"
ASK_UNITS = ["systemctl", "show", "-p", "Id,LoadState,UnitFileState,ActiveState,NeedDaemonReload"]
SETTING = re.compile(r"^-?([a-z][\w./-]*)\s*=", re.MULTILINE)


def account(name):
    """The account, its further groups and its password's hash; None when there is none."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = sorted(group.gr_name for group in grp.getgrall() if name in group.gr_mem)
    return {"uid": entry.pw_uid, "home": entry.pw_dir, "shell": entry.pw_shell, "groups": groups, "hash": hash_of(name)}


def accounts():
    """Every account and every group."""
    return sorted({entry.pw_name for entry in pwd.getpwall()} | {entry.gr_name for entry in grp.getgrall()})


def hash_of(name):
    """An account's field in /etc/shadow; for root's eyes alone."""
    with open("/etc/shadow", encoding="utf-8", errors="surrogateescape") as f:
        fields = (line.rstrip("\n").split(":") for line in f)
        return next((field[1] for field in fields if field[0] == name and len(field) > 1), "")


def is_of_sysctls(path):
    """Whether a file sets kernel settings."""
    return path.startswith(SYSCTL_FOLDER)


def sysctls(text):
    """The kernel settings that a file names, as they are now; one that the kernel does not have is left out."""
    found = {}
    for key in SETTING.findall(text):
        try:
            with open(sysctl_file(key), encoding="ascii", errors="replace") as f:
                found[key] = f.read().strip()
        except OSError:
            continue
    return found


def sysctl_file(key):
    """Where the kernel shows a setting; `/` stands for the dots of a name that has some (sysctl.d(5))."""
    return "/proc/sys/" + (key if "/" in key else key.replace(".", "/"))


def masked(links):
    """The units that links (path to {"target"}) mask."""
    here = [path for path, link in links.items() if link["target"] == "/dev/null"]
    return sorted(path[len(UNIT_FOLDER) :] for path in here if path.startswith(UNIT_FOLDER))


def units(shown):
    """What `systemctl show` said: unit to what systemd says of it."""
    rows = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in shown.split("\n\n")]
    return {row["Id"]: row for row in rows if "Id" in row}


def unit_before(row):
    """The part of `units` that a reset brings back."""
    return {name: row.get(name, "") for name in ("UnitFileState", "ActiveState")}
