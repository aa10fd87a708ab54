"""A fleet of two hosts and the project's templates → the settings and files of each, word for word."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from sparkfleet import config
from sparkfleet.errors import SparkfleetError
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.parts import EXPORTER_PATH
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet
    from tests.sparkfleet.host.conftest import Golden

HOSTS = ("spark-01", "spark-02")


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, fleet: Fleet, project_sources: Sources) -> Desired:
    """One of the two hosts."""
    return desired(fleet, request.param, project_sources)


def with_template(read: Sources, text: str, name: str = "etc/x.j2") -> Sources:
    """The project's sources with nothing but one template."""
    return dataclasses.replace(read, templates={name: text})


def test_the_flat_map_is_the_golden_one(host: Desired, golden: Golden) -> None:
    """Every setting of a host, by name, with its value: what a preview shows and the state records."""
    lines = [f"{key}  {value}\n" for key, value in host.settings.items()]

    golden.check(f"{host.host}.settings", "".join(lines))


def test_each_rendered_file_is_the_golden_one(host: Desired, golden: Golden) -> None:
    """Every text file that is rendered for a host, as it will lie there; the project's own files lie as they are."""
    as_they_are = {EXPORTER_PATH, *(path for parts in host.parts.values() for path in parts.copied)}
    texts = {path.lstrip("/"): f.content.decode() for path, f in host.files.items() if path not in as_they_are}
    for path, text in texts.items():
        golden.check(f"{host.host}/{path}", text)

    assert golden.names(host.host) == set(texts)


def test_the_same_description_gives_the_same_settings(fleet: Fleet, project_sources: Sources) -> None:
    """Neither the order of keys nor of templates shows: otherwise a preview would name changes where there are none."""
    turned = json.loads(fleet.model_dump_json())
    turned["access"]["users"] = dict(reversed(list(turned["access"]["users"].items())))
    turned["access"]["users"]["alice"]["authorized_keys"].reverse()
    turned["base"]["sysctls"] = dict(reversed(list(turned["base"]["sysctls"].items())))
    shuffled = dataclasses.replace(project_sources, templates=dict(reversed(list(project_sources.templates.items()))))

    again = desired(config.parse(turned), "spark-01", shuffled)
    first = desired(fleet, "spark-01", project_sources)

    assert list(again.settings.items()) == list(first.settings.items())
    assert again.files == first.files


def test_a_file_stands_in_the_map_by_digest_mode_and_owner(host: Desired) -> None:
    """The state holds no text of a file, only what is enough to see that it differs."""
    for path, file in host.files.items():
        digest = hashlib.sha256(file.content).hexdigest()[:16]
        assert host.settings[f"file:{path}"] == f"{digest} {file.mode:04o} {file.owner}:{file.group}"


def test_every_setting_has_the_role_that_looks_after_it(host: Desired) -> None:
    """No key of the map is without a role, and each role is one of the host's."""
    assert {host.role_of(key) for key in host.settings} == set(host.roles)


def test_a_host_without_a_role_gets_nothing_of_it(fleet: Fleet, project_sources: Sources) -> None:
    """No file, package or unit of the monitor is described for a host that is none."""
    other = desired(fleet, "spark-02", project_sources)

    assert Role.MONITOR not in other.roles
    assert not [key for key in other.settings if "prometheus" in key or "monitor" in key]


def test_each_user_gets_exactly_the_described_keys(fleet: Fleet, project_sources: Sources) -> None:
    """One file a person and one for the automation user; nobody else's file may lie beside them."""
    host = desired(fleet, "spark-01", project_sources)
    folder = "/etc/ssh/authorized_keys/"
    found = {path: f.content.decode().splitlines() for path, f in host.files.items() if path.startswith(folder)}

    assert found == {
        f"{folder}alice": sorted(fleet.access.users["alice"].authorized_keys),
        f"{folder}bob": [],
        f"{folder}sparkfleet": [project_sources.automation_key],
    }
    assert host.settings["listing:/etc/ssh/authorized_keys"] == "alice bob sparkfleet"


def test_a_secret_is_described_by_the_id_of_its_key(fleet: Fleet, project_sources: Sources) -> None:
    """Neither its text nor a digest of it is in the map: another key is another setting, a missing one says so."""
    first = desired(fleet, "spark-01", project_sources).settings["secret:/etc/sparkfleet/s3.json"]
    second = desired(fleet, "spark-02", project_sources).settings["secret:/etc/sparkfleet/s3.json"]

    assert first == "s3/spark-01 key KEY1"
    assert second == "s3/spark-02 key not made yet"


def test_only_what_may_cut_connections_is_disruptive(fleet: Fleet, project_sources: Sources) -> None:
    """sshd, sudo, keys and the firewall are marked; nothing else is."""
    host = desired(fleet, "spark-01", project_sources)

    assert [key for key in host.settings if host.disruptive(key)] == [
        "file:/etc/sparkfleet/firewall.nft",
        "file:/etc/ssh/authorized_keys/alice",
        "file:/etc/ssh/authorized_keys/bob",
        "file:/etc/ssh/authorized_keys/sparkfleet",
        "file:/etc/ssh/sshd_config.d/00-sparkfleet.conf",
        "file:/etc/sudoers.d/90-sparkfleet",
    ]


def test_an_undefined_name_is_an_error_that_names_the_template(fleet: Fleet, project_sources: Sources) -> None:
    """A name that is not there never becomes an empty value in somebody's configuration file."""
    read = with_template(project_sources, "{#- role: base #}\nx = {{ fleet.bse.timezone }}\n")

    with pytest.raises(SparkfleetError, match=r"templates/etc/x\.j2: .*bse"):
        desired(fleet, "spark-01", read)


def test_a_template_with_broken_syntax_is_named(fleet: Fleet, project_sources: Sources) -> None:
    """A template that is none is told with its path."""
    read = with_template(project_sources, "{#- role: base #}\n{% if %}\n")

    with pytest.raises(SparkfleetError, match=r"templates/etc/x\.j2: "):
        desired(fleet, "spark-01", read)


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("", "its first line must be"),
        ("# a comment\n", "its first line must be"),
        ("{#- mode: 0600 #}\n", "its first line must be"),
        ("{#- role: kitchen #}\n", f"ROLE is one of {', '.join(Role)}"),
        ("{#- role: base; mood: 0600 #}\n", "unknown there: mood"),
        ("{#- role: base; mode: rw #}\n", "mode"),
        ("{#- role: base; mode: 10644 #}\n", "mode"),
        ("{#- role: base; disruptive: perhaps #}\n", "disruptive"),
        ("{#- role: base; validate: visudo -cf #}\n", "validate"),
        ("{#- role: base; when: fleet.clod.provider == 'aws' #}\n", "clod"),
        ("{#- role: base; when: 1 + #}\n", "when"),
    ],
)
def test_a_faulty_first_line_names_the_template_and_the_fault(
    front: str, words: str, fleet: Fleet, project_sources: Sources
) -> None:
    """Whose file it is, and how it must lie, is never guessed."""
    read = with_template(project_sources, f"{front}text\n")

    with pytest.raises(SparkfleetError) as caught:
        desired(fleet, "spark-01", read)

    assert str(caught.value).startswith("templates/etc/x.j2: ")
    assert words in str(caught.value)


def test_the_first_line_says_how_the_file_lies_and_is_not_shipped(fleet: Fleet, project_sources: Sources) -> None:
    """Role, mode, owner, group, validator and disruption come from the template; its text begins after that line."""
    front = "{#- role: access; mode: 0640; owner: root; group: adm; validate: true %s; disruptive: yes #}\n"
    file = desired(fleet, "spark-01", with_template(project_sources, f"{front}text\n")).files["/etc/x"]

    assert (file.role, file.mode, file.owner, file.group) == (Role.ACCESS, 0o640, "root", "adm")
    assert (file.validate, file.disruptive, file.content) == ("true %s", True, b"text\n")


@pytest.mark.parametrize(("when", "shipped"), [("name == 'spark-01'", True), ("name == 'spark-02'", False)])
def test_a_condition_in_the_first_line_decides_whether_the_file_is_described(
    when: str, shipped: bool, fleet: Fleet, project_sources: Sources
) -> None:
    """A template whose condition does not hold is as if it were not there."""
    host = desired(fleet, "spark-01", with_template(project_sources, f"{{#- role: base; when: {when} #}}\nx\n"))

    assert ("/etc/x" in host.files) is shipped


def test_the_monitor_scrapes_every_exporter(fleet: Fleet, project_sources: Sources) -> None:
    """Each host with the exporter stands in Prometheus' list by its first address, IPv6 in brackets."""
    text = desired(fleet, "spark-01", project_sources).files["/etc/prometheus/prometheus.yml"].content.decode()

    assert 'targets: ["100.64.0.1:9810"]' in text
    assert 'targets: ["[fd7a::2]:9810"]' in text


def test_the_firewall_lets_the_monitor_alone_to_the_exporter(fleet: Fleet, project_sources: Sources) -> None:
    """The exporter's port is open for the addresses of the monitor and closed for everybody else."""
    text = desired(fleet, "spark-02", project_sources).files["/etc/sparkfleet/firewall.nft"].content.decode()
    rules = [line.strip() for line in text.splitlines() if "dport" in line]

    assert rules == [
        "tcp dport 9810 ip saddr { 100.64.0.1, 192.0.2.1 } accept",
        "tcp dport 9810 ip6 saddr { fd7a::1 } accept",
        "tcp dport 9810 drop",
    ]
