"""Pulumi.lab.yaml → the descriptions of other labs; a lab → the environment of a shell."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from lab import env, stack
from lab.errors import LabError
from lab.instance import CHECKOUT, Instance

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pattern() -> dict[str, object]:
    """The real Pulumi.lab.yaml."""
    found: dict[str, object] = yaml.safe_load((CHECKOUT / stack.PATTERN).read_text())
    return found


def test_more_stand_ins_are_copies_of_the_first_without_its_monitor(pattern: dict[str, object]) -> None:
    """They differ in address and in the one role that a fleet has once."""
    hosts = stack.describe(pattern, Instance.named("lab"), 3)["config"][stack.HOSTS]
    assert list(hosts) == ["spark-01", "spark-02", "spark-03"]
    assert hosts["spark-03"]["addresses"] == ["10.231.0.13"]
    assert "monitor" in hosts["spark-01"]["roles"]
    assert "monitor" not in hosts["spark-03"]["roles"]
    assert hosts["spark-03"]["sysfs"] == hosts["spark-01"]["sysfs"]


def test_another_lab_has_its_own_network_and_folder_everywhere(pattern: dict[str, object]) -> None:
    """No word of the description still points to the lab it was made from."""
    made = yaml.safe_dump(stack.describe(pattern, Instance.named("test"), 2))
    assert "10.231.1.1:7070" in made
    assert ".lab/test/secrets/store-admin.json" in made
    assert "10.231.0." not in made
    assert ".lab/lab" not in made


def test_the_pattern_itself_is_not_changed(pattern: dict[str, object]) -> None:
    """One lab's description must not leak into the next."""
    before = yaml.safe_dump(pattern)
    stack.describe(pattern, Instance.named("test"), 4)
    assert yaml.safe_dump(pattern) == before


def test_a_written_description_is_left_as_somebody_edited_it(tmp_path: Path) -> None:
    """It is theirs once it is made."""
    instance = Instance("test", 1, tmp_path)
    (tmp_path / stack.PATTERN).write_text((CHECKOUT / stack.PATTERN).read_text())
    assert stack.write(instance, 2) == "test2"
    file = stack.file(instance, "test2")
    assert stack.monitors(stack.read(instance, "test2")) == ["spark-01"]
    file.write_text(file.read_text() + "# mine\n")
    stack.write(instance, 2)
    assert file.read_text().endswith("# mine\n")


def test_with_a_tailnet_every_host_joins_and_is_reached_through_it_first(pattern: dict[str, object]) -> None:
    """And through nothing else; the address on the bridge is for the time before."""
    instance = Instance.named("test")
    made = stack.join(stack.describe(pattern, instance, 2), instance)
    config = made["config"]
    assert config[stack.HOSTS]["spark-02"]["addresses"] == ["100.65.0.12", "10.231.1.12"]
    assert all("tailnet" in host["roles"] for host in config[stack.HOSTS].values())
    assert stack.monitors(made) == ["spark-01"]
    assert stack.address(made, "spark-01") == "100.65.0.11"
    assert config["sparkfleet:access"]["tailnet_only"] is True
    assert config["sparkfleet:access"]["users"] == pattern["config"]["sparkfleet:access"]["users"]
    assert config["sparkfleet:tailnet"]["login_server"] == "http://10.231.1.1:31544"


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("tailnet", [False, True])
def test_the_end_of_a_lab_takes_its_description_along_unless_it_was_edited(
    tmp_path: Path, *, edited: bool, tailnet: bool
) -> None:
    """A stale one would describe the next lab; an edited one is somebody's work."""
    instance = Instance("lab", 0, tmp_path)
    (tmp_path / stack.PATTERN).write_text((CHECKOUT / stack.PATTERN).read_text())
    stack.choose(instance, 2, tailnet=tailnet)
    stack.write(instance, 2, tailnet=tailnet)
    made = stack.file(instance, stack.remembered(instance))
    if edited:
        made.write_text(made.read_text() + "# mine\n")
    stack.discard(instance)
    assert made.exists() is edited
    assert (tmp_path / stack.PATTERN).exists()


def test_a_lab_keeps_the_stack_it_was_made_from(tmp_path: Path) -> None:
    """Without a number it is the same again; another number would be a second stack over the same buckets."""
    instance = Instance("lab", 0, tmp_path)
    assert stack.choose(instance, 4) == ("lab4", 4, False)
    assert stack.choose(instance, None) == ("lab4", 4, False)
    with pytest.raises(LabError, match="make down"):
        stack.choose(instance, 2)
    with pytest.raises(LabError, match="4 in a tailnet are asked for"):
        stack.choose(instance, 4, tailnet=True)


def test_a_lab_keeps_its_tailnet_and_has_a_stack_of_its_own(tmp_path: Path) -> None:
    """One host in it is not the description `lab`."""
    instance = Instance("lab", 0, tmp_path)
    assert stack.choose(instance, None, tailnet=True) == ("lab-tailnet", 1, True)
    assert stack.choose(instance, None) == ("lab-tailnet", 1, True)
    with pytest.raises(LabError, match="1 of the stand-ins in a tailnet"):
        stack.choose(instance, None, tailnet=False)


def test_without_a_lab_there_is_no_environment(tmp_path: Path) -> None:
    """The message says how to get one."""
    with pytest.raises(LabError, match="make up"):
        stack.remembered(Instance("lab", 0, tmp_path))


def test_the_exports_arrive_in_a_shell_whatever_the_path_of_the_checkout(tmp_path: Path) -> None:
    """Blanks, quotes and dollar signs included."""
    instance = Instance("test", 1, tmp_path / "it's a $HOME")
    lines = env.shell_lines(instance, "test2")
    shown = subprocess.run(
        ["sh", "-c", f'{lines}\nprintf "%s\\n" "$PULUMI_STACK" "$PULUMI_BACKEND_URL" "$PATH"'],
        check=True, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"},
    ).stdout.splitlines()  # fmt: skip
    assert shown == ["test2", f"file://{instance.folder}/pulumi", ":".join([*env.paths(instance), "/usr/bin:/bin"])]
    assert set(env.exports(instance, "test2")) <= set(env.process(instance, "test2"))
