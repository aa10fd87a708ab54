"""Descriptions, sound and faulty → the fleet, or every fault in one message; by hand, by YAML file and by engine."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from sparkfleet import config, model
from sparkfleet.errors import ConfigError
from sparkfleet.model import Fleet, Role

PROJECT = Path(__file__).resolve().parents[2]
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61"


def sound() -> dict[str, Any]:
    """A description with every section, without fault."""
    return {
        "fleet": "lab",
        "controller": {"folder": "kept", "user": "sparkfleet", "connect_timeout_s": 5},
        "hosts": {
            "spark-01": {"addresses": ["192.0.2.1", "spark-01.example"], "roles": ["exporter", "monitor"], "port": 22},
            "spark-02": {"addresses": ["2001:db8::2"]},
        },
        "base": {"timezone": "Europe/Berlin", "packages": ["jq"], "sysctls": {"net.core.somaxconn": "4096"}},
        "access": {
            "users": {"alice": {"sudo": True, "authorized_keys": [f"{KEY} alice@example"], "break_glass": True}},
            "tailnet_only": False,
            "container_interfaces": ["docker0", "br-*"],
            "console": {"user": "console", "password_hash": "file:secrets/console"},
            "rotation": {"ssh_days": 30},
        },
        "tailnet": {"auth_key": "env:KEY", "tags": ["tag:spark"], "port": 41641, "key": "tailscale.asc"},
        "exporter": {"port": 9810, "interval_s": 0.5},
        "monitor": {"retention": "30d", "scrape_interval": "15s"},
        "monitoring": {"alerts": "prometheus", "receivers": {"page": {"webhook": "http://192.0.2.9/"}}},
        "cloud": {
            "provider": "onprem",
            "onprem": {
                "endpoint": "http://192.0.2.3:7070",
                "iam_endpoint": "http://192.0.2.3:7071",
                "admin": "file:secrets/admin.json",
            },
            "generations": {"spark-02": 2},
        },
        "waivers": {"ACCESS-01": {"reason": "the installer needs it", "until": "2027-01-31", "hosts": ["spark-01"]}},
    }


def changed(**parts: Any) -> dict[str, Any]:
    """The sound description with top-level keys replaced."""
    return {**sound(), **parts}


def faults(raw: dict[str, Any]) -> list[str]:
    """Every fault that `parse` names."""
    with pytest.raises(ConfigError) as caught:
        config.parse(raw)
    return caught.value.faults


def test_a_sound_description_becomes_a_fleet() -> None:
    """What was described is what the typed fleet says, defaults filled in."""
    fleet = config.parse(sound())

    assert fleet.hosts["spark-01"].addresses == ["192.0.2.1", "spark-01.example"]
    assert fleet.hosts["spark-02"].all_roles == model.ALWAYS
    assert fleet.generation("spark-01") == 1
    assert fleet.generation("spark-02") == 2
    assert fleet.waivers["ACCESS-01"].until == dt.date(2027, 1, 31)


def test_nine_faults_are_nine_messages_in_one_run() -> None:
    """Each fault of a file is told at once, with its full path, what was expected and what was found."""
    raw = sound()
    raw["hosts"]["spark-01"]["port"] = "ssh"
    raw["hosts"]["spark-01"]["roles"] = ["exporter", "moniter"]
    raw["hosts"]["spark-02"] = {"adresses": ["192.0.2.2"]}
    raw["base"]["journal_max_use"] = "lots"
    raw["access"]["users"]["alice"]["authorized_keys"] = ["id_ed25519.pub"]
    raw["monitor"]["retention"] = "a month"
    raw["cloud"]["generations"] = {"spark-09": 2}
    raw["waivers"]["ACCESS-01"]["reason"] = "because"
    roles = [str(role) for role in Role]

    assert faults(raw) == [
        (
            'access.users.alice.authorized_keys[0]: expected a public key line such as "ssh-ed25519 AAAA… name", '
            'found "id_ed25519.pub"'
        ),
        'base.journal_max_use: expected a systemd size such as "500M", found "lots"',
        "cloud.generations.spark-09: no such host",
        'hosts.spark-01.port: input should be a valid integer, unable to parse string as an integer, found "ssh"',
        (
            f"hosts.spark-01.roles[1]: expected {', '.join(map(repr, roles[:-1]))} or {roles[-1]!r} "
            '(did you mean monitor?), found "moniter"'
        ),
        "hosts.spark-02.addresses: missing",
        "hosts.spark-02.adresses: unknown key; did you mean addresses?",
        'monitor.retention: expected a Prometheus duration such as "15s" or "30d", found "a month"',
        'waivers.ACCESS-01.reason: string should have at least 10 characters, found "because"',
    ]


def test_the_message_counts_its_faults_and_says_that_nothing_was_touched() -> None:
    """The reader knows at the first line that one run told everything."""
    with pytest.raises(ConfigError) as caught:
        config.parse({"fleet": "lab", "hosts": {}, "bse": {}}, where="Pulumi.x.yaml")

    assert str(caught.value).splitlines()[0] == "2 faults in Pulumi.x.yaml; nothing was touched:"


@pytest.mark.parametrize(
    ("section", "word", "near"),
    [
        ((), "acces", "access"),
        (("controller",), "usr", "user"),
        (("hosts", "spark-01"), "adresses", "addresses"),
        (("base",), "time_zone", "timezone"),
        (("access",), "user", "users"),
        (("access", "users", "alice"), "authorised_keys", "authorized_keys"),
        (("access", "console"), "pasword_hash", "password_hash"),
        (("access", "rotation"), "ssh_day", "ssh_days"),
        (("tailnet",), "authkey", "auth_key"),
        (("exporter",), "interval", "interval_s"),
        (("monitor",), "retain", "retention"),
        (("monitoring",), "alert", "alerts"),
        (("monitoring", "receivers", "page"), "webhok", "webhook"),
        (("cloud",), "providor", "provider"),
        (("cloud", "onprem"), "end_point", "endpoint"),
        (("waivers", "ACCESS-01"), "untill", "until"),
    ],
)
def test_an_unknown_key_is_refused_at_every_level(section: tuple[str, ...], word: str, near: str) -> None:
    """The message has the key's full path and the nearest word that is known there."""
    raw = sound()
    place = raw
    for part in section:
        place = place[part]
    place[word] = "x"

    assert f"{'.'.join((*section, word))}: unknown key; did you mean {near}?" in faults(raw)


def test_a_key_unlike_any_other_gets_no_guess() -> None:
    """A wrong guess would be worse than none."""
    assert faults(changed(zzzz=1)) == ["zzzz: unknown key"]


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (changed(cloud={"provider": "aws"}), "cloud.aws: missing; provider aws needs this section"),
        (changed(cloud={"provider": "onprem"}), "cloud.onprem: missing; provider onprem needs this section"),
        (
            changed(access={"users": {"sparkfleet": {}}}),
            "access.users.sparkfleet: is the automation user; give people names of their own",
        ),
        (
            changed(hosts={"spark-01": {"addresses": ["192.0.2.1"]}, "spark-02": {"addresses": ["192.0.2.1"]}}),
            "hosts.spark-02.addresses: 192.0.2.1 is also an address of spark-01",
        ),
        (
            changed(hosts={**sound()["hosts"], "spark-03": {"addresses": ["spark.example"], "roles": ["monitor"]}}),
            "hosts.spark-03.addresses: a monitor host needs an IP address, the firewall lets it scrape",
        ),
        (
            changed(waivers={"BASE-01": {"reason": "until the repair", "until": "2027-01-01", "hosts": ["spark-7"]}}),
            "waivers.BASE-01.hosts: spark-7: no such host",
        ),
    ],
)
def test_what_concerns_two_places_is_checked(raw: dict[str, Any], fault: str) -> None:
    """Two parts that are sound alone and wrong together make one fault, told at the place to mend."""
    assert faults(raw) == [fault]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (changed(base={"packages": ["--allow-downgrades"]}), "base.packages[0]"),
        (changed(base={"timezone": "../../etc/shadow"}), "base.timezone"),
        (changed(base={"timezone": "Europe/Berlin\n"}), "base.timezone"),
        (changed(base={"sysctls": {"../../etc/shadow": "1"}}), "base.sysctls.../../etc/shadow"),
        (changed(base={"sysctls": {"net.core.somaxconn": "1\nkernel.panic = 1"}}), "base.sysctls.net.core.somaxconn"),
        (changed(access={"users": {"alice": {"authorized_keys": [f"{KEY} a\n"]}}}), "access.users.alice.author"),
        (changed(hosts={"spark-01\n": {"addresses": ["192.0.2.1"]}}), "hosts.spark-01"),
        (changed(hosts={"spark-01": {"addresses": ["a..b"]}}), "hosts.spark-01.addresses[0]"),
        (changed(hosts={"spark-01": {"addresses": ["192.0.2.300"]}}), "hosts.spark-01.addresses[0]"),
    ],
)
def test_a_value_that_would_leave_its_place_is_refused(raw: dict[str, Any], path: str) -> None:
    """What is written into files, paths and commands of a host has the form of one word there, and no line break."""
    assert [fault for fault in faults(raw) if fault.startswith(path)]


def test_a_secret_stands_in_the_description_by_reference_only() -> None:
    """A text that is neither file:PATH nor env:NAME is refused, for it may be the secret; it is not shown again."""
    raw = sound()
    raw["cloud"]["onprem"]["admin"] = "AKIA-do-not-show"

    [fault] = faults(raw)

    assert fault.startswith('cloud.onprem.admin: expected "file:PATH" or "env:NAME", never the secret itself')
    assert "do-not-show" not in fault


def write(folder: Path, text: str, stack: str = "x") -> None:
    """Write a stack's file."""
    (folder / f"Pulumi.{stack}.yaml").write_text(text)


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


def test_an_unknown_stack_names_the_known_ones(tmp_path: Path) -> None:
    """Whoever mistypes --stack sees which there are."""
    write(tmp_path, "config: {}", "lab")
    write(tmp_path, "config: {}", "office")

    with pytest.raises(ConfigError, match=r"Pulumi.lba.yaml: no such file \(stacks here: lab, office\)"):
        config.load("lba", tmp_path)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8) | st.integers() | st.dates() | st.none(), inner, max_size=3)
    ),
    max_leaves=8,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a nested description."""
    if isinstance(value, dict):
        return [path, *(p for key, inner in value.items() for p in _places(inner, (*path, key)))]
    if isinstance(value, list):
        return [path, *(p for number, inner in enumerate(value) for p in _places(inner, (*path, number)))]
    return [path]


PLACES = [place for place in _places(sound()) if place]


def damaged(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The sound description with another value at one place."""
    raw = sound()
    inner: Any = raw
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    return raw


def faults_or_none(raw: dict[str, Any]) -> list[str]:
    """The faults of a description that may be sound; anything but a ConfigError goes on to the test."""
    try:
        config.parse(raw)
    except ConfigError as error:
        return error.faults or ["a ConfigError without a fault"]
    return []


def starts_with_its_path(fault: str, raw: dict[str, Any]) -> bool:
    """Whether a message begins at a top-level key that was given, or is known, and says something after it."""
    top = ("(the description)", *Fleet.model_fields, *map(str, raw))
    return fault.startswith(top) and bool(fault.partition(": ")[2])


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PLACES), anything)
@example(("cloud", "provider"), ["aws"])
@example(("controller", "user"), {})
@example(("hosts", "spark-01", "roles"), [dt.date(2026, 1, 1)])
@example(("base", "sysctls"), {dt.date(2026, 1, 1): "1"})
def test_a_damaged_description_is_a_fleet_or_faults(place: tuple[Any, ...], value: Any) -> None:
    """Whatever stands at any one place: a fleet, or a ConfigError whose messages each begin with a path."""
    raw = damaged(place, value)
    assert all(starts_with_its_path(fault, raw) for fault in faults_or_none(raw))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(Fleet.model_fields)) | st.text(max_size=8), anything))
def test_arbitrary_nested_data_is_never_a_traceback(raw: dict[str, Any]) -> None:
    """A mapping of anything is a fleet or a ConfigError; nothing else is ever raised."""
    assert all(starts_with_its_path(fault, raw) for fault in faults_or_none(raw))


def fields(kind: type[BaseModel]) -> set[str]:
    """The names of all fields of a model and of the models in it."""
    found: set[str] = set()
    for name, field in kind.model_fields.items():
        found.add(name)
        parts = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= fields(part)
    return found


def test_the_example_names_every_field_that_there_is() -> None:
    """Pulumi.lab.yaml is the reference: each key of the model stands in it, as a value or in a comment."""
    text = (PROJECT / "Pulumi.lab.yaml").read_text()

    assert {name for name in fields(Fleet) if not re.search(rf"\b{name}:", text)} == set()


def test_the_example_loads() -> None:
    """Pulumi.lab.yaml is a sound description."""
    assert "spark-01" in config.load("lab", PROJECT).hosts


def test_the_examples_commented_lines_load_too(tmp_path: Path) -> None:
    """What the example shows in comments is right as soon as somebody removes the comment signs."""
    text = (PROJECT / "Pulumi.lab.yaml").read_text()
    text = text.replace("provider: onprem", "provider: aws").replace("sparkfleet:waivers: {}", "sparkfleet:waivers:")
    text = re.sub(
        r"(?m)^( *)# (aws:|amp:|pytorch:|  [a-z_]+:|token:|admin_password:|auth_key:|  ACCESS)", r"\1\2", text
    )
    write(tmp_path, text)

    fleet = config.load("x", tmp_path)

    assert fleet.cloud.aws
    assert fleet.containers.pytorch
    assert fleet.monitoring.amp
    assert fleet.monitoring.grafana.token == "env:GRAFANA_TOKEN"
    assert fleet.tailnet.auth_key == f"file:{tmp_path}/secrets/tailnet"
    assert fleet.waivers["ACCESS-01"].hosts == ["spark-01"]
