"""Adoption of real (stand-in) machines from the box: over SSH, with their own sshd, sudo and accounts."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import audit, chain
from sparkfleet.errors import AdoptError
from sparkfleet.host import adopt as adopt_module
from sparkfleet.host.adopt import adopt
from sparkfleet.host.adopt_door import prove
from sparkfleet.host.authorized_keys import KeyWords
from sparkfleet.host.connection import Session
from tests.sparkfleet.host.factory_machine import VENDOR, Machine, described, fresh, state, stray_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.instance import Instance

pytestmark = pytest.mark.lab


@pytest.fixture
def machine(lab_instance: Instance, tmp_path: Path) -> Iterator[Machine]:
    """A factory machine of one's own."""
    with fresh(lab_instance, tmp_path, "socket") as made:  # as DGX OS is: ssh.socket, NetworkManager
        yield made


@pytest.fixture(scope="module")
def shared(lab_instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The machine behind `untouched`."""
    with fresh(lab_instance, tmp_path_factory.mktemp("shared"), "classic") as made:
        yield made


@pytest.fixture
def untouched(shared: Machine, tmp_path: Path) -> Machine:
    """A factory machine that stays as it is, and a controller of one's own that has never seen it."""
    return replace(shared, fleet=described(shared.lab, shared.name, tmp_path))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, str]:
    """A key that somebody else holds: the private half's file, the public half's line."""
    return stray_key(tmp_path)


def unattended(machine: Machine) -> tuple[str, ...]:
    """The words of an adoption that drops all keys."""
    return "--fingerprint", machine.fingerprint, "--password-file", str(machine.password_file), "--keys", "drop"


def nobody_is_locked_out(machine: Machine) -> None:
    """Half-way through: the sudo rules are whole, and the set-up user still logs in and becomes root."""
    subprocess.run(["chroot", machine.tree, "visudo", "-cq"], check=True)
    if machine.fleet.controller.known_hosts.exists():
        with Session(replace(machine.target, user="nvidia"), password=machine.password) as session:
            assert session.run("sudo -k -S -p '' true", stdin=f"{machine.password}\n").code == 0


def converges(machine: Machine) -> None:
    """One more run ends well, the one after it has nothing to do, and the stray key is gone."""
    machine.adopt(keys=KeyWords("drop"))
    assert machine.adopt(keys=KeyWords("drop")).changed == ()
    assert machine.as_root("id -u").strip() == "0"
    assert VENDOR not in (machine.tree / "home/nvidia/.ssh/authorized_keys").read_text()


@contextlib.contextmanager
def watched_argv() -> Iterator[set[str]]:
    """Collects every process's words on this machine, and so also those in the stand-ins, until the block ends."""
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    seen.add(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


class TestFactoryMachine:
    """From the box."""

    def test_it_is_adopted_and_the_password_shows_nowhere(self, machine: Machine, tmp_path: Path) -> None:
        """One unattended command opens the new way in; the password is in no argv, output, log or file afterwards."""
        with watched_argv() as seen:
            process = machine.start(
                tmp_path, "--fingerprint", machine.fingerprint, "--password-file", str(machine.password_file)
            )
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert "account sparkfleet" in output
        assert VENDOR in output
        assert machine.as_root("id -u").strip() == "0"
        [told] = map(json.loads, chain.read_lines(audit.log_file(machine.fleet)))
        assert (told["kind"], told["outcome"], machine.fingerprint in told["new"]) == ("adopt", "added", True)
        journal = machine.as_root("journalctl --no-pager; cat /var/log/*.log 2>/dev/null || true")
        assert "Accepted password for nvidia" in journal
        assert any("python3 -IS -" in words for words in seen)  # the watcher sees what runs in the stand-in
        for where, text in (("argv", "\n".join(seen)), ("output", output), ("journal", journal)):
            assert machine.password not in text, where
        folders = [machine.tree.parent / "upper", machine.fleet.controller.folder]
        found = subprocess.run(
            ["grep", "-rlFf", "-", *folders], input=machine.password, capture_output=True, text=True, check=False
        )
        assert found.stdout == ""

    def test_a_person_is_asked_and_may_refuse(self, untouched: Machine) -> None:
        """Without --fingerprint the owner is shown the key; a no leaves both sides as they were."""
        before, asked, said = state(untouched), [], []

        def no(question: str) -> bool:
            asked.append(question)
            return False

        with pytest.raises(AdoptError, match="not confirmed"):
            adopt(untouched.fleet, untouched.name, untouched.options(fingerprint=None), ask=no, say=said.append)
        assert len(asked) == 1
        assert untouched.fingerprint in "\n".join(said)
        assert not untouched.fleet.controller.folder.exists()
        assert state(untouched) == before

    def test_a_wrong_fingerprint_touches_nothing(self, untouched: Machine) -> None:
        """A mismatch is refused before anything is pinned, and nobody logs in."""
        before = state(untouched)
        with pytest.raises(AdoptError, match="nothing was touched") as caught:
            untouched.adopt(fingerprint="SHA256:" + "A" * 43)
        assert untouched.fingerprint in str(caught.value)
        assert not untouched.fleet.controller.folder.exists()
        assert state(untouched) == before

    def test_a_wrong_password_says_so(self, untouched: Machine) -> None:
        """The error names account and way out and quotes no password; the machine and the key pair stay unmade."""
        before = state(untouched)
        with pytest.raises(AdoptError, match="refused the password of nvidia") as caught:
            untouched.adopt(password=lambda: "not-the-password")
        assert "not-the-password" not in str(caught.value)
        assert state(untouched) == before
        assert not untouched.fleet.controller.private_key.exists()

    def test_an_account_without_sudo_says_so(self, untouched: Machine) -> None:
        """A set-up user outside the group sudo ends in an error that names it; nothing was changed."""
        group = untouched.tree / "etc/group"
        as_shipped = group.read_text()
        group.write_text(as_shipped.replace("sudo:x:27:nvidia", "sudo:x:27:"))
        try:
            before = state(untouched)
            with pytest.raises(AdoptError, match="nvidia cannot become root") as caught:
                untouched.adopt()
            assert untouched.password not in str(caught.value)
            assert state(untouched) == before
        finally:
            group.write_text(as_shipped)

    def test_stray_keys_are_dropped_and_refused(self, machine: Machine, pair: tuple[Path, str]) -> None:
        """A planted key opened nvidia and root; after --keys drop sshd refuses it, and root alone can read the copy."""
        private, public = pair
        places = ("home/nvidia/.ssh/authorized_keys2", "root/.ssh/authorized_keys")
        for place in places:
            machine.plant(place, public)
        assert machine.accepts("nvidia", private)
        assert machine.accepts("root", private)
        done = machine.adopt(keys=KeyWords("drop"))
        assert {(key.user, key.comment) for key in done.dropped} == {
            ("nvidia", VENDOR), ("nvidia", "stray@vendor"), ("root", "stray@vendor"),
        }  # fmt: skip
        assert not machine.accepts("nvidia", private)
        assert not machine.accepts("root", private)
        assert public.strip() in machine.as_root("cat /var/lib/sparkfleet/removed/*")
        assert machine.as_root("stat -c '%a %U' /var/lib/sparkfleet/removed").split() == ["700", "root"]
        assert machine.adopt(keys=KeyWords("drop")).changed == ()

    def test_dropped_keys_come_back_when_the_login_breaks(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If the login cannot be proved after the drop, the dropped lines are put back before the error is shown."""
        calls = []

        def fails_after_the_drop(*words: Any) -> Any:
            calls.append(words)
            if len(calls) == 2:
                assert VENDOR not in file.read_text()
                raise AdoptError("cannot log in")
            return prove(*words)

        file = machine.tree / "home/nvidia/.ssh/authorized_keys"
        before = file.read_text()
        monkeypatch.setattr(adopt_module, "prove", fails_after_the_drop)
        with pytest.raises(AdoptError, match="cannot log in"):
            machine.adopt(keys=KeyWords("drop"))
        assert file.read_text() == before

    def test_it_survives_being_killed_anywhere(self, machine: Machine, tmp_path: Path) -> None:
        """Killed at random moments it leaves no half file and no closed door, and the next run converges."""
        chance = random.Random(7)  # noqa: S311  (moments, no secrets)
        killed = 0
        for after_s in sorted(chance.uniform(0.25, 1.6) for _ in range(10)):
            process = machine.start(tmp_path, *unattended(machine))
            try:
                process.communicate(timeout=after_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                killed += 1
            nobody_is_locked_out(machine)
        assert killed >= 3, "the machine was too quick for the chosen moments"
        converges(machine)

    def test_it_survives_the_death_of_each_step(self, machine: Machine, tmp_path: Path) -> None:
        """A step that dies on the host is an error that names the way on; each run after it goes on from there."""
        killed = 0
        for nth in (1, 1, 2, 3, 4):
            process = machine.start(tmp_path, *unattended(machine))
            hit = machine.kill_script(process, nth)
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0 or (hit and "it goes on where it stopped" in output), output
            killed += hit
            nobody_is_locked_out(machine)
        assert killed >= 1, "no script was caught running on the host"
        converges(machine)
