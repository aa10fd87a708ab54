"""The guard on a host → a change of the way in that is confirmed stays whole, and one that is not is gone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import guard
from tests.sparkfleet.host.guarded import FakeHost

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    """A host in version 0."""
    return FakeHost(tmp_path)


def test_what_is_confirmed_stays(host: FakeHost) -> None:
    """After a confirmation neither the timer nor a reboot brings the old state back, and no secret stays behind."""
    assert host.do("arm", "a") == {"id": "a"}
    host.change(1)
    assert host.do("confirm", "a") == {"id": "a"}
    assert not host.timers
    host.do("restore", "a")
    host.settle()
    assert host.versions == {"1"}
    folder = host.root / "var/lib/sparkfleet-guard"
    assert {file.name for file in folder.iterdir()} == {"guard.py"}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["a", ""])
def test_what_is_not_confirmed_is_undone(host: FakeHost, name: str) -> None:
    """The timer (with its id) and the boot (without one) bring everything back: content, names, links, table, sshd."""
    host.do("arm", "a")
    host.change(1)
    answer = host.do("restore", name)
    assert answer["restored"]
    assert answer["failed"] == []
    assert host.versions == {"0"}
    assert (host.root / "units/ssh.service").exists()
    assert not host.armed
    assert not host.timers
    last = host.do("state")["last"]
    assert (last["id"], last["by"]) == ("a", "run a")


def test_modes_and_owners_come_back(host: FakeHost) -> None:
    """A file that only root could read is again one that only root can read, also when it was removed meanwhile."""
    secret = host.root / "etc/ssh/ssh_host_ed25519_key"
    secret.write_bytes(b"\x00key\xff")
    secret.chmod(0o600)
    host.do("arm", "a")
    secret.unlink()
    host.do("restore", "a")
    assert secret.read_bytes() == b"\x00key\xff"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_a_second_run_is_refused_and_told_who_was_first(host: FakeHost) -> None:
    """While one change waits for its confirmation no other begins, and the first goes on undisturbed."""
    host.do("arm", "a")
    assert "run a since 2" in host.do("arm", "b")["error"]
    assert host.timers == ["a"]
    assert host.do("confirm", "b")["error"]
    assert host.do("extend", "b")["error"]
    assert host.do("extend", "a") == {"id": "a"}
    assert host.do("confirm", "a") == {"id": "a"}


def test_a_late_timer_does_not_end_the_next_change(host: FakeHost) -> None:
    """The timer of a change that is over finds nothing to do, while another change is armed."""
    host.do("arm", "a")
    host.do("confirm", "a")
    host.do("arm", "b")
    host.change(1)
    assert host.do("restore", "a") == {"restored": False}
    assert host.versions == {"1"}


def test_a_change_that_went_on_after_the_timer_is_undone_again(host: FakeHost) -> None:
    """An apply that was cut off, outlived the window and went on: its controller is told, and can undo once more."""
    host.do("arm", "a")
    host.change(1)
    host.do("restore", "a")
    host.change(2)
    assert "put its old state back" in host.do("confirm", "a")["error"]
    assert host.do("restore", "a")["restored"]
    assert host.versions == {"0"}


def test_who_restored_first_is_remembered(host: FakeHost) -> None:
    """A controller that asks for what the timer has done already changes nothing, not even the record of it."""
    host.do("arm", "a")
    host.change(1)
    host.do("restore", "a")
    first = host.do("state")["last"]
    assert host.do("restore", "a")["changed"] == []
    assert host.do("state")["last"] == first


def test_without_a_timer_nothing_is_armed(host: FakeHost) -> None:
    """A host that cannot start the dead-man timer refuses, and nothing waits to be undone."""
    (host.root / "no-timers").touch()
    assert "timer could not be started" in host.do("arm", "a")["error"]
    assert not host.armed
    (host.root / "no-timers").unlink()
    assert host.do("arm", "b") == {"id": "b"}


def test_a_full_disk_is_found_out_before_anything_is_armed(host: FakeHost) -> None:
    """When not all can be saved the host refuses, starts no timer and leaves nothing half-written."""
    (host.root / "etc/ssh/moduli").write_bytes(b"x" * 100_000)
    answer = host.do("arm", "a", bytes_left=50_000)
    assert "File too large" in answer["error"]
    assert not host.armed
    assert not host.timers
    assert {file.name for file in (host.root / "var/lib/sparkfleet-guard").iterdir()} == {"guard.py"}


def test_a_restore_that_fails_stays_armed_and_is_tried_again(host: FakeHost) -> None:
    """A disk that is full when the old state is to come back: what fits comes back, the rest with the next try."""
    big = host.root / "etc/ssh/sshd_config.d/big.conf"
    big.write_bytes(b"x" * 100_000)
    host.do("arm", "a")
    host.change(1)
    answer = host.do("restore", "a", bytes_left=50_000)
    assert answer["failed"] == ["/etc/ssh/sshd_config.d/big.conf: File too large"]
    assert host.armed
    assert (host.root / "etc/ssh/sshd_config").read_text() == "0\n"
    host.settle()
    assert big.stat().st_size == 100_000
    assert not host.armed


def test_a_table_that_is_refused_opens_the_door(host: FakeHost) -> None:
    """If the kernel does not take the old table, it gets none: an owner who is locked out is the greater harm."""
    (host.root / "table").write_text("refused later\n")
    host.do("arm", "a")
    host.change(1)
    assert host.do("restore", "a")["failed"] == []
    assert not (host.root / "table").exists()


def test_an_unreadable_record_opens_the_firewall(host: FakeHost) -> None:
    """Should the one file that decides be broken, a restore still takes the firewall away and ends."""
    host.do("arm", "a")
    (host.root / "var/lib/sparkfleet-guard/armed.json").write_text("{")
    assert host.do("restore")["restored"]
    assert not (host.root / "table").exists()
    assert not host.armed


def test_the_host_keeps_the_whole_script_and_starts_it_at_boot(host: FakeHost) -> None:
    """`guard.py` is what the timer, the boot unit and somebody at the console start: the script and its own call."""
    host.do("arm", "a")
    program = host.root / "var/lib/sparkfleet-guard/guard.py"
    compile(program.read_text(), "guard.py", "exec")
    assert program.read_text().startswith(guard.source())
    assert program.read_text().rstrip().splitlines()[-1].startswith("main(")
    unit = (host.root / "etc/systemd/system/sparkfleet-guard.service").read_text()
    assert "\nExecStart=/usr/bin/python3 -IS /var/lib/sparkfleet-guard/guard.py restore " in unit
    assert "\nConditionPathExists=/var/lib/sparkfleet-guard/armed.json\n" in unit
    wants = host.root / "etc/systemd/system/sysinit.target.wants/sparkfleet-guard.service"
    assert wants.readlink().as_posix() == "/etc/systemd/system/sparkfleet-guard.service"


def test_a_script_that_was_cut_off_does_nothing(host: FakeHost) -> None:
    """The call stands at the very end: a connection that breaks on the way leaves definitions, and nothing is done."""
    ended = subprocess.run(
        [sys.executable, "-IS", "-"], input=guard.source(), capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("", "")
    assert not host.armed
