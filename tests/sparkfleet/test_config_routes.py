"""One description by YAML file and by engine → the same fleet, the same faults; what a file may get wrong."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkfleet import config
from sparkfleet.errors import ConfigError
from tests.sparkfleet.descriptions import changed, sound, write


def as_stack(raw: dict[str, Any]) -> str:
    """A description as the text of a stack's file."""
    return yaml.safe_dump({"config": {f"sparkfleet:{key}": value for key, value in raw.items()}})


def as_engine(raw: dict[str, Any]) -> dict[str, str]:
    """A description as the Pulumi engine hands it over: structures as JSON text, words as they are."""
    return {f"sparkfleet:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in raw.items()}


def test_the_file_and_the_engine_give_the_same_fleet(tmp_path: Path) -> None:
    """`spark` reads the YAML file, Pulumi's program and providers read the engine: one description, one fleet."""
    write(tmp_path, as_stack(sound()))

    assert config.load("x", tmp_path) == config.from_engine(as_engine(sound()), tmp_path)


# What pulumi 3.259.0 handed to a program for WRITTEN (printed from PULUMI_CONFIG): YAML 1.2, dates as Go prints them.
WRITTEN = """\
config:
  sparkfleet:fleet: office
  sparkfleet:hosts: {spark-01: {addresses: [192.0.2.1], port: 0026}}
  sparkfleet:base: {automatic_security_updates: false}
  sparkfleet:gpu: {driver: {branch: "580"}}
  sparkfleet:exporter: {interval_s: 1.0}
  sparkfleet:access: {tcp_forwarding: no, users: {alice: {sudo: yes}, bob: {sudo: true}}}
  sparkfleet:waivers: {A-1: {reason: until it is mended, until: 2027-01-31}}
"""
HANDED_OVER = {
    "sparkfleet:access": '{"tcp_forwarding":"no","users":{"alice":{"sudo":"yes"},"bob":{"sudo":true}}}',
    "sparkfleet:base": '{"automatic_security_updates":false}',
    "sparkfleet:gpu": '{"driver":{"branch":"580"}}',
    "sparkfleet:exporter": '{"interval_s":1}',
    "sparkfleet:fleet": "office",
    "sparkfleet:hosts": '{"spark-01":{"addresses":["192.0.2.1"],"port":22}}',
    "sparkfleet:waivers": '{"A-1":{"reason":"until it is mended","until":"2027-01-31 00:00:00 +0000 UTC"}}',
}


def test_pulumi_and_spark_read_the_same_out_of_the_same_words(tmp_path: Path) -> None:
    """Words that YAML's versions read differently (no, yes, dates, octal numbers) mean the same on both routes."""
    write(tmp_path, WRITTEN)

    fleet = config.load("x", tmp_path)

    assert fleet == config.from_engine(HANDED_OVER, tmp_path)
    assert fleet.access.tcp_forwarding == "no"
    assert fleet.waivers["A-1"].until == dt.date(2027, 1, 31)


def test_the_engine_may_hand_over_keys_of_others(tmp_path: Path) -> None:
    """Configuration of other packages is none of ours."""
    fleet = config.from_engine({**as_engine(sound()), "aws:region": "eu-central-1"}, tmp_path)

    assert fleet.fleet == "lab"


def test_the_engine_route_tells_the_same_faults(tmp_path: Path) -> None:
    """A fault has the same words on both routes."""
    raw = changed(hosts={"spark-01": {"addresses": [], "prot": 22}}, exporter="loud", cloud={})
    write(tmp_path, as_stack(raw))

    with pytest.raises(ConfigError) as by_file:
        config.load("x", tmp_path)
    with pytest.raises(ConfigError) as by_engine:
        config.from_engine(as_engine(raw), tmp_path)

    assert by_file.value.faults == by_engine.value.faults
    assert len(by_file.value.faults) == 3


def test_relative_paths_are_relative_to_the_project(tmp_path: Path) -> None:
    """The controller's folder and file references mean the same from whatever folder a program runs."""
    write(tmp_path, as_stack(sound()))

    fleet = config.load("x", tmp_path)

    assert fleet.controller.folder == tmp_path / "kept"
    assert fleet.controller.known_hosts == tmp_path / "kept/known_hosts"
    assert fleet.cloud.onprem
    assert fleet.cloud.onprem.admin == f"file:{tmp_path}/secrets/admin.json"


def test_absolute_paths_stay_as_they_are(tmp_path: Path) -> None:
    """A folder outside of the checkout is where a real fleet keeps its secrets."""
    raw = changed(controller={"folder": "/srv/controller"})
    write(tmp_path, as_stack(raw))

    assert config.load("x", tmp_path).controller.folder == Path("/srv/controller")


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """YAML keeps the later one in silence; a fleet must not lose a host that way."""
    write(
        tmp_path,
        "config:\n  sparkfleet:fleet: x\n  sparkfleet:hosts:\n"
        "    spark-01: {addresses: [192.0.2.1]}\n    spark-01: {addresses: [192.0.2.2]}\n",
    )

    with pytest.raises(ConfigError, match=r"(?s)'spark-01' stands twice.*line 5"):
        config.load("x", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("config: [", "is not YAML"),
        ("- 1", 'expected a map of "sparkfleet:…" keys, found null'),
        ("config: 7", 'expected a map of "sparkfleet:…" keys, found 7'),
        ("", 'expected a map of "sparkfleet:…" keys, found null'),
        ("config:\n  ? [1, 2]\n  : 3", "is not YAML"),
        ("config:\n  sparkfleet:base: &a {sysctls: *a}", "base.sysctls"),
    ],
)
def test_a_file_that_is_no_description_is_one_message(tmp_path: Path, text: str, words: str) -> None:
    """Broken YAML, a list, a word, nothing, a list as a key, a loop: a fault in words, never a traceback."""
    write(tmp_path, text)

    with pytest.raises(ConfigError) as caught:
        config.load("x", tmp_path)

    assert words in str(caught.value)


def test_a_file_that_is_no_text_is_one_message(tmp_path: Path) -> None:
    """A stack's file in another encoding than UTF-8 is a fault in words."""
    (tmp_path / "Pulumi.x.yaml").write_bytes(b"config: \xff\xfe")

    with pytest.raises(ConfigError, match="is not UTF-8"):
        config.load("x", tmp_path)


def test_a_file_that_cannot_be_read_is_one_message(tmp_path: Path) -> None:
    """A folder by that name, or a file of another owner, is a fault in words."""
    (tmp_path / "Pulumi.x.yaml").mkdir()

    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.load("x", tmp_path)


def test_an_unknown_stack_names_the_known_ones(tmp_path: Path) -> None:
    """Whoever mistypes --stack sees which there are."""
    write(tmp_path, "config: {}", "lab")
    write(tmp_path, "config: {}", "office")

    with pytest.raises(ConfigError, match=r"Pulumi.lba.yaml: no such file \(stacks here: lab, office\)"):
        config.load("lba", tmp_path)
