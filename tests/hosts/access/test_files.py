"""Who can change what decides who gets in, and what runs as root."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from machine import Machine
    from reading import Stat

SSH, SUDOERS = "/etc/ssh", "/etc/sudoers.d"
SHADOWS = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-")
ACCOUNTS = ("/etc/passwd", "/etc/passwd-", "/etc/group", "/etc/group-")
# Which of them a program need not have made yet: copies from before the last change.
COPIES = "-"


def looser(machine: Machine, path: str, mode: int, groups: tuple[str, ...] = ("root",)) -> list[str]:
    """What is wrong with a path: somebody else's, more open than `mode`, or not there (unless it is a copy)."""
    at = machine.files.get(path)
    if at is None:
        return [] if path.endswith(COPIES) else [f"{path} is not there"]
    fine = at.owner == "root" and at.group in groups and not at.mode & ~mode
    return [] if fine else [f"{path} is {at}"]


@pytest.mark.control(
    id="ACCESS-37", severity="high", source="CIS 5.1.1 (deviates), 5.1.2, 5.1.3; sshd-04, sshd-05 (deviates)"
)
def test_only_root_changes_sshd(machine: Machine) -> None:
    """Nobody but root can change sshd's settings and host keys, and nobody else reads its private keys.

    Owner, group and mode of /etc/ssh, of each file of sshd's settings, and of each host key.
    """
    wrong = looser(machine, SSH, 0o755) + looser(machine, f"{SSH}/sshd_config.d", 0o755)
    for path in machine.files:
        if path == f"{SSH}/sshd_config" or path.startswith((f"{SSH}/sshd_config.d/", f"{SSH}/ssh_host_")):
            wrong += looser(machine, path, 0o600 if path.endswith("_key") else 0o644)
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="ACCESS-38", severity="high", source="CIS 7.1.1 to 7.1.8; os-02, os-03")
def test_only_root_changes_accounts(machine: Machine) -> None:
    """Nobody but root can change accounts and groups, and nobody else reads the hashes of passwords.

    Owner, group and mode of passwd, group, shadow, gshadow and the copies that tools keep of them.
    """
    wrong = [fault for path in ACCOUNTS for fault in looser(machine, path, 0o644)]
    wrong += [fault for path in SHADOWS for fault in looser(machine, path, 0o640, ("root", "shadow"))]
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="ACCESS-39", severity="high", source="sparkfleet")
def test_sudo_is_what_is_described(machine: Machine) -> None:
    """No other file of sudo's policy lies beside ours, and nobody but root can change it.

    The names in /etc/sudoers.d that sudo reads; owner, group and mode of it, of each file and of /etc/sudoers.
    """
    inside = {path.removeprefix(f"{SUDOERS}/") for path in machine.files if path.startswith(f"{SUDOERS}/")}
    # sudoers(5): names with a dot or a tilde at the end are not read.
    other = sorted(n for n in inside - {*machine.wanted["sudoers_drop_ins"], "README"} if "." not in n and n[-1] != "~")
    assert not other, f"also in {SUDOERS}: {', '.join(other)}"
    wrong = looser(machine, "/etc/sudoers", 0o440) + looser(machine, SUDOERS, 0o755)
    wrong += [fault for name in sorted(inside) for fault in looser(machine, f"{SUDOERS}/{name}", 0o440)]
    assert not wrong, "; ".join(wrong)


@pytest.mark.control(id="ACCESS-40", severity="high", source="sparkfleet")
def test_only_root_changes_what_sparkfleet_runs(machine: Machine) -> None:
    """Nobody but root can change what sparkfleet keeps and runs as root.

    Owner, group and mode of its folders and files in /etc, /usr/local/lib and /var/lib.
    """
    ours = ("/etc/sparkfleet", "/usr/local/lib/sparkfleet", "/var/lib/sparkfleet")
    loose = [f"{path} is {at}" for path, at in machine.files.items() if path.startswith(ours) and others_write(at)]
    assert not loose, "; ".join(loose)
    assert "/etc/sparkfleet" in machine.files, "there is no /etc/sparkfleet"


@pytest.mark.control(id="ACCESS-41", severity="high", source="CIS 5.4.2.5; os-04")
def test_root_finds_only_its_own_programs(machine: Machine) -> None:
    """Nobody but root can put a program where root looks for one.

    Each folder of the PATH that sudo gives, and each file in it: whose it is and who may write. None is relative.
    """
    path, found = machine.root_path
    relative = [word or "an empty word" for word in path.split(":") if not word.startswith("/")]
    assert not relative, f"root's PATH has {', '.join(relative)}: {path}"
    loose = [f"{name} is {at}" for name, at in found.items() if others_write(at)]
    assert not loose, "; ".join(loose)


@pytest.mark.control(id="ACCESS-42", severity="high", source="CIS 7.1.13; os-06")
def test_setuid_programs_come_from_packages(machine: Machine) -> None:
    """Every program that runs as somebody else than who starts it belongs to a package.

    All files with a setuid or setgid bit where programs, people and temporary files lie, against dpkg's lists.
    """
    stray = [path for path, packaged in machine.setuid_files.items() if not packaged]
    assert machine.setuid_files, "not even sudo was found"
    assert not stray, f"belong to no package: {', '.join(stray)}"


@pytest.mark.control(id="ACCESS-43", severity="medium", source="sparkfleet")
def test_nothing_undescribed_is_scheduled(machine: Machine) -> None:
    """Nothing is started at certain times that no package brought and nobody described.

    The files of cron and at, and the timers of systemd.
    """
    ours = {f"/etc/systemd/system/{unit}" for unit in machine.wanted["units"]}
    other = sorted(one for one in machine.schedules - ours if "/sparkfleet-guard-" not in one)
    assert not other, f"scheduled as well: {', '.join(other)}"


@pytest.mark.control(id="ACCESS-44", severity="medium", source="os-01, os-09")
def test_no_other_machine_is_trusted(machine: Machine) -> None:
    """No file makes old programs trust other machines, or keeps passwords for them.

    hosts.equiv, and .rhosts, .shosts and .netrc in the homes.
    """
    assert not machine.trusting_files, f"there: {', '.join(machine.trusting_files)}"


def others_write(at: Stat) -> bool:
    """Whether somebody but root can change it."""
    return at.owner != "root" or bool(at.mode & 0o002) or (bool(at.mode & 0o020) and at.group != "root")
