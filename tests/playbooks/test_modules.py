"""The modules `marker`, `packages` and `units`, and all of them as Ansible itself runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.playbooks.machine import COLLECTIONS, ELSEWHERE, PROJECT

if TYPE_CHECKING:
    from tests.playbooks.machine import Machine, Tree

BIN = Path(sys.executable).parent


class TestMarker:
    """The record of an apply, written last."""

    def test_a_secret_is_recorded_with_the_state_in_which_it_was_shipped(self, machine: Machine) -> None:
        """Reference and generation, and a digest that stays on the host in a file that root alone reads."""
        secret = machine.root / "s3.json"
        secret.write_text("s3cret")
        secret.chmod(0o600)
        setting = "file:/k generation 1"

        machine.run("marker", roles={}, managed={}, secrets={str(secret): setting, "/no/such": setting})

        record = machine.marker()["secrets"]
        assert set(record) == {str(secret)}
        assert record[str(secret)]["setting"] == setting
        assert record[str(secret)]["state"].endswith(" 0600 root:root")
        assert (machine.varlib / "sparkfleet/marker.json").stat().st_mode & 0o777 == 0o600

    def test_roles_that_did_not_run_keep_their_digest(self, machine: Machine) -> None:
        """A run of one role says nothing of the others."""
        machine.run("marker", roles={"base": "b1", "access": "a1"}, managed={})

        machine.run("marker", roles={"access": "a2"}, managed={})

        assert machine.marker()["roles"] == {"base": "b1", "access": "a2"}

    def test_what_is_no_longer_described_is_forgotten(self, machine: Machine) -> None:
        """After it was taken away nobody asks for it any more."""
        machine.run("marker", roles={}, managed={"file:/old": "v", "file:/x": "v"})

        machine.run("marker", roles={}, managed={"file:/x": "v"})

        assert machine.marker()["managed"] == {"file:/x": "v"}

    def test_check_mode_writes_nothing(self, machine: Machine) -> None:
        """A dry run is not recorded as an apply."""
        machine.run("marker", check=True, roles={"base": "b1"}, managed={})

        assert list(machine.varlib.iterdir()) == []


class TestPackages:
    """Programs recorded from Debian stand in for dpkg-query and apt-get."""

    def installed(self, machine: Machine, *names: str) -> None:
        """Let dpkg-query know these packages."""
        machine.program("dpkg-query", "".join(f"echo {name} installed\n" for name in names))
        machine.program("dpkg", "exit 0")

    def calls(self, machine: Machine) -> list[str]:
        """How programs were called, without the options of apt-get."""
        lines = machine.calls.read_text().splitlines()
        return [" ".join(w for w in line.split() if not w.startswith(("-", "Dpkg::", "DPkg::"))) for line in lines]

    def test_when_nothing_is_missing_one_question_is_all(self, machine: Machine) -> None:
        """No package cache is opened: that is what a no-op costs elsewhere."""
        self.installed(machine, "sudo", "jq")

        answer = machine.run("packages", names=["sudo", "jq"])

        assert (answer["changed"], answer["installed"]) == (False, [])
        assert machine.calls.read_text().count("sudo jq") == 1
        assert "apt-get" not in machine.calls.read_text()

    def test_only_what_is_missing_is_installed(self, machine: Machine) -> None:
        """Packages that are there are not named to apt-get: it would upgrade them."""
        self.installed(machine, "sudo")
        machine.program("apt-get", "exit 0")

        answer = machine.run("packages", names=["sudo", "jq"])

        assert answer["installed"] == ["jq"]
        assert self.calls(machine)[-1] == "apt-get install jq"

    def test_lists_are_refreshed_only_when_the_ones_at_hand_do_not_do(self, machine: Machine) -> None:
        """First with the lists that are there, then with new ones; what fails then is told in apt-get's words."""
        self.installed(machine)
        machine.program(
            "apt-get", 'case "$*" in *install*) echo "E: Unable to locate package jqq" >&2; exit 100;; esac'
        )

        answer = machine.run("packages", names=["jqq"])

        assert self.calls(machine)[-3:] == ["apt-get install jqq", "apt-get update", "apt-get install jqq"]
        assert answer["failed"]
        assert "Unable to locate package jqq" in answer["msg"] + answer.get("stderr", "")

    def test_check_mode_installs_nothing(self, machine: Machine) -> None:
        """It tells what it would install."""
        self.installed(machine)

        assert machine.run("packages", check=True, names=["jq"])["installed"] == ["jq"]


def unit(name: str, enabled: str = "enabled", active: str = "active", reload: str = "no") -> str:
    """What systemctl show prints of a unit."""
    return f"Id={name}\nLoadState=loaded\nUnitFileState={enabled}\nActiveState={active}\nNeedDaemonReload={reload}\n"


class TestUnits:
    """A recorded systemctl stands in for systemd; the real one is met in the tests on lab hosts."""

    def systemctl(self, machine: Machine, *units: str) -> None:
        """Let systemctl tell these states, and refuse to touch a unit called broken."""
        shown = machine.varlib.parent / "units"
        shown.write_text("\n".join(units))
        refuse = '*start*broken*) echo "Job for broken.service failed" >&2; exit 1;;'
        machine.program("systemctl", f'case "$*" in show*) cat {shown};; {refuse} esac')

    def calls(self, machine: Machine) -> list[str]:
        """How systemctl was called, beside being asked."""
        lines = machine.calls.read_text().splitlines()
        return [line.removeprefix("systemctl ") for line in lines if " show " not in line]

    def test_what_is_up_is_only_asked_about(self, machine: Machine) -> None:
        """One call for all units."""
        self.systemctl(machine, unit("a.service"), unit("b.service", active="inactive"))

        answer = machine.run("units", wanted={"a.service": "enabled,active", "b.service": "enabled"})

        assert answer["changed"] is False
        assert len(machine.calls.read_text().splitlines()) == 1

    def test_what_is_not_up_is_enabled_and_started(self, machine: Machine) -> None:
        """Only those that need it, each verb once; started only where that is described."""
        down = [unit(f"{name}.service", "disabled", "inactive") for name in "ab"]
        self.systemctl(machine, *down, unit("c.service"))

        answer = machine.run(
            "units", wanted={"a.service": "enabled,active", "b.service": "enabled", "c.service": "enabled,active"}
        )

        assert answer["changed"] is True
        assert self.calls(machine) == ["enable a.service b.service", "start a.service"]

    def test_a_unit_whose_file_changed_is_read_anew(self, machine: Machine) -> None:
        """A daemon-reload comes before anything is started from an old file."""
        self.systemctl(machine, unit("a.service", active="failed", reload="yes"))

        machine.run("units", wanted={"a.service": "enabled,active"})

        assert self.calls(machine) == ["daemon-reload", "start a.service"]

    def test_the_first_drop_in_of_a_unit_is_read(self, machine: Machine) -> None:
        """Systemd does not notice it by itself (seen with 252): whatever was touched, it reads its files anew."""
        self.systemctl(machine, unit("a.service"))
        follow_ups = {"monitor": [{"run": "systemctl restart a.service"}]}

        machine.run("units", wanted={}, follow_ups=follow_ups, roles=["monitor"], touched=["monitor"])

        assert self.calls(machine) == ["daemon-reload", "restart a.service"]

    def test_what_follows_a_change_is_done_for_touched_roles(self, machine: Machine) -> None:
        """A role that was touched has its follow-ups carried out; what is always due is no change; others wait."""
        self.systemctl(machine, unit("a.service", reload="yes"))
        follow_ups = {
            "base": [{"run": "systemctl restart journal.service"}, {"run": "systemctl always", "always": True}],
            "access": [{"run": "systemctl reload ssh.service"}],
            "monitor": [{"run": "systemctl restart prometheus.service"}],
        }

        answer = machine.run(
            "units",
            wanted={"a.service": "enabled,active"},
            follow_ups=follow_ups,
            roles=["base", "access"],
            touched=["access"],
        )

        assert answer["followed"] == ["systemctl reload ssh.service"]
        assert self.calls(machine) == ["daemon-reload", "always", "reload ssh.service"]

    def test_what_is_no_longer_described_is_stopped_and_disabled(self, machine: Machine) -> None:
        """Stopped when it runs, disabled when it is enabled; one that does not exist is no fault."""
        self.systemctl(machine, unit("old.service"), unit("gone.service", "", "inactive"))

        machine.run("units", wanted={}, stop=["old.service", "gone.service"])

        assert self.calls(machine) == ["stop old.service", "disable old.service"]

    def test_a_unit_that_does_not_start_is_told_in_systemds_words(self, machine: Machine) -> None:
        """The message names the command and what systemctl said."""
        self.systemctl(machine, unit("broken.service", active="failed"))

        answer = machine.run("units", wanted={"broken.service": "enabled,active"})

        assert answer["msg"] == "systemctl start broken.service: Job for broken.service failed"

    def test_check_mode_starts_nothing(self, machine: Machine) -> None:
        """It tells what it would start."""
        self.systemctl(machine, unit("a.service", active="inactive", reload="yes"))

        answer = machine.run("units", check=True, wanted={"a.service": "enabled,active"})

        assert answer["started"] == ["a.service"]
        assert self.calls(machine) == []


def ansible(machine: Machine, module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a module answers when Ansible packs and runs it."""
    done = subprocess.run(
        [
            *[*ELSEWHERE, str(machine.varlib)],
            *[BIN / "ansible", "localhost", "-c", "local", "-m", f"sparkfleet.host.{module}"],
            *["-a", json.dumps(arguments), "-e", f"ansible_python_interpreter={sys.executable}"],
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=machine.root,
        env={
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(machine.varlib.parent),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        },
    )
    assert "=> {" in done.stdout, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads("{" + done.stdout.partition("=> {")[2])
    return answer


def test_ansible_itself_runs_the_module_with_its_helper(machine: Machine, tree: Tree) -> None:
    """The collection is found, the module packed with its module_utils, its answer understood."""
    path = tree.file("x.conf", "a = 1\n")

    answer = ansible(machine, "tree", {"tree": tree.text(), "roles": ["base"]})

    assert (answer["changed"], answer["changed_paths"]) == (True, [str(path)])
    assert path.read_text() == "a = 1\n"


def test_every_module_documents_every_argument(tmp_path: Path) -> None:
    """ansible-doc reads each module, and its options are the ones that the code takes."""
    modules = sorted((COLLECTIONS / "ansible_collections/sparkfleet/host/plugins/modules").glob("*.py"))
    names = [f"sparkfleet.host.{file.stem}" for file in modules]
    environment = {"ANSIBLE_HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [BIN / "ansible-doc", "-t", "module", "-j", *names],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path), **environment},
    )
    documented = {name: set(page["doc"]["options"]) for name, page in json.loads(done.stdout).items()}
    argument = re.compile(r'^ {12}"(\w+)": \{"type"', re.MULTILINE)

    assert documented == {
        name: set(argument.findall(file.read_text())) for name, file in zip(names, modules, strict=True)
    }


def test_units_are_stopped_before_their_files_are_moved_away() -> None:
    """Only a unit whose file is there can be disabled; otherwise a dead link stays in multi-user.target.wants."""
    import yaml

    [play] = yaml.safe_load((PROJECT / "playbooks/site.yml").read_text())
    order = [next(key for key in task if key.startswith("sparkfleet.host.")) for task in play["pre_tasks"][:3]]

    assert order == ["sparkfleet.host.packages", "sparkfleet.host.units", "sparkfleet.host.tree"]
