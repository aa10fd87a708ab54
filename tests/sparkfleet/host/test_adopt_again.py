"""Adoption of real (stand-in) machines that were adopted before: other keys, other controllers, what broke since."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from sparkfleet.commands.adopt import adopt as command
from sparkfleet.errors import AdoptError
from sparkfleet.host.adopt import adopt
from sparkfleet.host.authorized_keys import KeyWords
from sparkfleet.host.connection import Session
from tests.sparkfleet.host.factory_machine import Machine, described, fresh, state, stray_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.instance import Instance
    from sparkfleet.model import Fleet

pytestmark = pytest.mark.lab

# systemd counts starts and gives up after five in ten seconds.
RESTART_SSHD = "systemctl reset-failed ssh.service && systemctl restart ssh.service"


@pytest.fixture(scope="module")
def adopted(lab_instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine that was adopted, with all its keys kept."""
    with fresh(lab_instance, tmp_path_factory.mktemp("adopted"), "classic") as made:
        made.adopt()
        yield made


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, str]:
    """A key that somebody else holds: the private half's file, the public half's line."""
    return stray_key(tmp_path)


def fingerprint_of(private: Path) -> str:
    """As ssh-keygen prints it."""
    said = subprocess.run(["ssh-keygen", "-lf", private], check=True, capture_output=True, text=True)
    return said.stdout.split()[1]


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
