"""Adoption of real (stand-in) factory machines: over SSH, with their own sshd, sudo and accounts."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from lab import record, spark
from lab.spark import factory
from sparkfleet import audit, chain
from sparkfleet.commands.adopt import adopt as command
from sparkfleet.errors import AdoptError
from sparkfleet.host import adopt as adopt_module
from sparkfleet.host.adopt import Adoption, AdoptOptions, adopt
from sparkfleet.host.adopt_door import prove
from sparkfleet.host.authorized_keys import KeyWords
from sparkfleet.host.connection import Session, Target
from sparkfleet.model import Fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.instance import Instance

pytestmark = pytest.mark.lab

NUMBERS = itertools.count(61)  # those of other tests begin at 01
# systemd counts starts and gives up after five in ten seconds.
RESTART_SSHD = "systemctl reset-failed ssh.service && systemctl restart ssh.service"
VENDOR = "factory@vendor.example"
# The command as a process of its own, so that it can be killed and watched.
PROCESS = """
import json, sys, types
from sparkfleet.commands.adopt import adopt
from sparkfleet.model import Fleet
fleet = Fleet.model_validate(json.loads(open(sys.argv[1]).read()))
adopt.main(sys.argv[2:], obj=types.SimpleNamespace(fleet=lambda: fleet))
"""


@dataclass(frozen=True)
class Machine:
    """A stand-in in factory state, and a controller that has never seen it."""

    lab: Instance
    name: str
    fleet: Fleet

    @property
    def tree(self) -> Path:
        """Its files, as seen from here."""
        return spark.tree(self.lab, self.name)

    @property
    def password_file(self) -> Path:
        """Of the set-up user."""
        return factory.password(self.lab)

    @property
    def password(self) -> str:
        """The set-up user's."""
        return self.password_file.read_text().strip()

    @property
    def fingerprint(self) -> str:
        """As its owner reads it on the console."""
        return factory.fingerprint(self.tree)

    @property
    def target(self) -> Target:
        """As the automation user."""
        return Target.of(self.fleet, self.name)

    def options(self, **words: Any) -> AdoptOptions:
        """The owner's words of an unattended adoption."""
        return replace(AdoptOptions(lambda: self.password, fingerprint=self.fingerprint), **words)

    def adopt(self, **words: Any) -> Adoption:
        """Adopt it without a person; a question fails the test."""
        return adopt(self.fleet, self.name, self.options(**words), ask=nobody, say=lambda _: None)

    def as_root(self, line: str) -> str:
        """What a shell line says, run by the automation user as root."""
        with Session(self.target) as session:
            result = session.run("sudo -n sh -s", stdin=line)
        assert result.code == 0, result.stderr
        return result.stdout

    def start(self, folder: Path, *words: str) -> subprocess.Popen[str]:
        """`spark adopt` of this machine as a process."""
        (folder / "fleet.json").write_text(self.fleet.model_dump_json())
        return subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(folder / "fleet.json"), self.name, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill_script(self, process: subprocess.Popen[str], nth: int) -> bool:
        """Kill the nth script that this adoption runs on the machine; False when it came to its end before."""
        first = spark.first_process(self.lab, self.name)
        inside, seen = Path(f"/proc/{first}/ns/pid").readlink(), set[int]()
        while process.poll() is None:
            for entry in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    words = entry.read_bytes().split(b"\0")
                    if words[:3] == [b"python3", b"-IS", b"-"] and (entry.parent / "ns/pid").readlink() == inside:
                        seen.add(int(entry.parent.name))
                        if len(seen) == nth:
                            os.kill(int(entry.parent.name), signal.SIGKILL)
                            return True
        return False

    def plant(self, file: str, public: str) -> None:
        """Add a line to a file on the machine, as somebody with the machine in hand could."""
        path = self.tree / file
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("a") as keys:
            keys.write(public)
        owner = (self.tree / file).parent.parent.stat()
        for each in (path, path.parent):
            os.chown(each, owner.st_uid, owner.st_gid)
        path.chmod(0o600)

    def accepts(self, user: str, private: Path) -> bool:
        """Whether sshd lets this user in with this key."""
        said = subprocess.run(
            ["ssh", "-F", "none", "-i", private, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-l", user,
             "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", self.target.addresses[0], "true"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert said.returncode == 0 or "Permission denied" in said.stderr, said.stderr
        return said.returncode == 0


def nobody(question: str) -> bool:
    """There is no person in an unattended run."""
    pytest.fail(f"was asked: {question}")


def described(lab: Instance, name: str, folder: Path) -> Fleet:
    """A fleet of this one host, whose controller keeps its files in a folder below."""
    return Fleet.model_validate(
        {
            "fleet": "lab",
            "controller": {"folder": str(folder / "controller")},
            "hosts": {name: {"addresses": [lab.address(name)]}},
        }
    )


@contextlib.contextmanager
def fresh(lab: Instance, folder: Path, variant: factory.Variant) -> Iterator[Machine]:
    """A factory machine under a name that no other test uses; thrown away at the end."""
    name = f"spark-{next(NUMBERS)}"
    try:
        spark.boot(lab, [name], variant)
        yield Machine(lab, name, described(lab, name, folder))
    finally:
        record.stop(lab, name, patience_s=0.1)  # nobody misses it: no orderly power-off
        spark.halt(lab, name)
        shutil.rmtree(lab.host(name), ignore_errors=True)


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


@pytest.fixture(scope="module")
def adopted(lab_instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine that was adopted, with all its keys kept."""
    with fresh(lab_instance, tmp_path_factory.mktemp("adopted"), "classic") as made:
        made.adopt()
        yield made


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, str]:
    """A key that somebody else holds: the private half's file, the public half's line."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "stray@vendor", "-f", tmp_path / "stray"], check=True
    )
    return tmp_path / "stray", (tmp_path / "stray.pub").read_text()


def state(machine: Machine) -> dict[str, tuple[int, int, bytes]]:
    """Every file on the machine that adoption could touch: mode, owner, content."""
    folders = ("etc", "home", "root", "var/lib/sparkfleet", "var/lib/sparkfleet-automation")
    files = (p for folder in folders for p in (machine.tree / folder).rglob("*") if p.is_file() and not p.is_symlink())
    return {str(p): (p.stat().st_mode, p.stat().st_uid, p.read_bytes()) for p in files}


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


def fingerprint_of(private: Path) -> str:
    """As ssh-keygen prints it."""
    said = subprocess.run(["ssh-keygen", "-lf", private], check=True, capture_output=True, text=True)
    return said.stdout.split()[1]


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


class TestAdoptedMachine:
    """Run again, later."""

    def test_a_second_run_changes_nothing_and_needs_no_password(self, adopted: Machine) -> None:
        """Neither a password nor a fingerprint is asked for, and every file is as it was."""
        before = state(adopted)
        done = adopted.adopt(password=lambda: pytest.fail("asked for the password"), fingerprint=None)
        assert done.changed == ()
        assert state(adopted) == before

    def test_the_key_in_use_cannot_be_dropped(self, adopted: Machine) -> None:
        """Naming the controller's own key is refused before the machine is contacted; --keys drop passes it by."""
        own = adopted.adopt().controller_key
        with pytest.raises(AdoptError, match="never dropped") as caught:
            adopted.adopt(keys=KeyWords("keep", drop=frozenset({own})))
        assert own in str(caught.value)
        assert own not in {key.fingerprint for key in adopted.adopt(keys=KeyWords("drop")).dropped}
        assert adopted.as_root("id -u").strip() == "0"

    def test_one_key_is_dropped_by_name(self, adopted: Machine, pair: tuple[Path, str]) -> None:
        """--drop-key takes that key alone; what is no key stays in its place, and the rest of the file too."""
        private, public = pair
        adopted.plant("home/nvidia/.ssh/authorized_keys", f"# a remark\nno key at all\n{public}")
        assert adopted.accepts("nvidia", private)
        before = (adopted.tree / "home/nvidia/.ssh/authorized_keys").read_text()
        done = adopted.adopt(keys=KeyWords("keep", drop=frozenset({fingerprint_of(private)})))
        assert [key.comment for key in done.dropped] == ["stray@vendor"]
        assert not adopted.accepts("nvidia", private)
        file = adopted.tree / "home/nvidia/.ssh/authorized_keys"
        assert file.read_text() == before.replace(public, "")
        assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (
            0o600,
            (adopted.tree / "home/nvidia").stat().st_uid,
        )

    def test_who_was_told_to_keep_a_key_is_not_asked_again(self, adopted: Machine, pair: tuple[Path, str]) -> None:
        """With --keys ask each key is asked about once: a yes is remembered on the host, a no drops the key."""
        private, public = pair
        adopted.plant("root/.ssh/authorized_keys", public)
        asked: list[str] = []

        def answer(question: str) -> bool:
            asked.append(question)
            return False

        words = adopted.options(keys=KeyWords("ask"))
        adopt(adopted.fleet, adopted.name, words, ask=answer, say=lambda _: None)
        adopt(adopted.fleet, adopted.name, words, ask=answer, say=lambda _: None)
        assert [fingerprint_of(private) in question for question in asked] == [True]
        assert not adopted.accepts("root", private)

    def test_a_new_controller_asks_about_the_key_of_the_last(self, adopted: Machine, tmp_path: Path) -> None:
        """A lost controller's key is no word of the owner: the next one asks about it, once, and can drop it."""
        last = adopted.adopt()
        successor = replace(adopted, fleet=described(adopted.lab, adopted.name, tmp_path))
        asked: list[str] = []

        def answer(question: str) -> bool:
            asked.append(question)
            return last.controller_key not in question

        adopt(successor.fleet, successor.name, successor.options(keys=KeyWords("ask")), ask=answer, say=lambda _: None)
        assert len([question for question in asked if last.controller_key in question]) == 1
        assert not adopted.accepts("sparkfleet", adopted.fleet.controller.private_key)
        assert successor.as_root("id -u").strip() == "0"
        adopted.adopt()  # with the password: the tests after this one log in with the first key

    def test_the_result_as_json_names_what_to_describe(self, adopted: Machine, pair: tuple[Path, str]) -> None:
        """`--json` prints one document whose snippet keeps the people's keys, with their sudo."""
        adopted.plant("home/nvidia/.ssh/authorized_keys", pair[1])

        class Context:
            def fleet(self) -> Fleet:
                return adopted.fleet

        said = CliRunner().invoke(command, [adopted.name, "--json"], obj=Context())
        assert said.exit_code == 0, said.output
        done = json.loads(said.stdout)
        assert done["machine_id"] == (adopted.tree / "etc/machine-id").read_text().strip()
        assert done["host_key"] == adopted.fingerprint
        users = yaml.safe_load(done["to_describe"])["access"]["users"]
        assert list(users) == ["nvidia"]
        assert pair[1].strip() in users["nvidia"]["authorized_keys"]
        assert users["nvidia"]["sudo"] is True

    def test_another_host_key_is_refused_until_it_is_named(self, adopted: Machine) -> None:
        """A machine that shows a new key is an error; with its fingerprint given the pin moves to the new key."""
        adopted.adopt()
        adopted.as_root(f"rm /etc/ssh/ssh_host_* && ssh-keygen -A && {RESTART_SSHD}")
        pinned = adopted.fleet.controller.known_hosts.read_text()
        with pytest.raises(AdoptError, match="not the pinned"):
            adopted.adopt(fingerprint=None)
        assert adopted.fleet.controller.known_hosts.read_text() == pinned
        assert adopted.adopt().host_key == adopted.fingerprint
        assert len(adopted.fleet.controller.known_hosts.read_text().splitlines()) == 1

    @pytest.mark.parametrize(
        "setting", ["AuthorizedKeysFile /etc/ssh/authorized_keys/%u", "UsePAM no", "AuthenticationMethods publickey"]
    )
    def test_the_login_survives_hardening(self, adopted: Machine, setting: str) -> None:
        """With keys below /etc/ssh, without PAM (which refuses locked accounts) or by key alone: nothing to repair."""
        adopted.adopt()
        dropin = adopted.tree / "etc/ssh/sshd_config.d/00-test.conf"
        dropin.write_text(f"{setting}\n")
        try:
            adopted.as_root(f"sshd -t && {RESTART_SSHD}")
            assert setting.lower().split()[0] in adopted.as_root("sshd -T")
            assert adopted.adopt(password=lambda: pytest.fail("asked for the password")).changed == ()
        finally:
            dropin.unlink()
            adopted.as_root(RESTART_SSHD)

    @pytest.mark.parametrize(
        "harm",
        [
            "rm /etc/sudoers.d/90-sparkfleet",
            "rm -r /var/lib/sparkfleet-automation/.ssh /etc/ssh/authorized_keys",
            "userdel sparkfleet",
            "rm /var/lib/sparkfleet/adopted.json",
        ],
    )
    def test_what_is_missing_is_repaired(self, adopted: Machine, harm: str) -> None:
        """Whatever part of an adoption was lost, the next one brings it back and the one after has nothing to do."""
        adopted.adopt()
        with Session(adopted.target) as session:  # userdel refuses to end an account that is logged in: -f
            session.run("sudo -n sh -s", stdin=harm.replace("userdel", "userdel -f"))
        assert adopted.adopt().changed != ()
        assert adopted.as_root("id -u").strip() == "0"
        assert adopted.adopt().changed == ()
