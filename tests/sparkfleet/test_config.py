"""Descriptions, sound and faulty → the fleet, or every fault in one message."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sparkfleet import config, model
from sparkfleet.errors import ConfigError
from sparkfleet.model import Role
from tests.sparkfleet.descriptions import KEY, changed, faults, sound


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
