"""Hosts of an AWS account: what each is told of its session, whose programs ask how, and what Pulumi records of it."""

from __future__ import annotations

import configparser
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet import config
from sparkfleet.cloud import sessions as noted
from sparkfleet.errors import ConfigError
from sparkfleet.host import sources, spark_host
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.observe import Observed
from sparkfleet.host.parts import sessions
from sparkfleet.host.spark_host import SparkHostProvider
from tests.sparkfleet.host.conftest import description
from workloads.datasets.config import parse

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet

AMP = {"region": "eu-west-1", "workspace_id": "ws-00000000-0000-4000-8000-000000000000"}
TOLD = noted.text("eu-west-1", "arn:anchor", "arn:profile", "arn:role")
CREDENTIALS = "/etc/systemd/system/sparkfleet-credentials"


def described(**sections: Any) -> dict[str, Any]:
    """spark-01 is the monitor, spark-02 has data sets and the loop; an authority of their owner's own."""
    raw = description()
    raw["hosts"]["spark-02"]["roles"] += ["node", "datasets", "label"]
    aws = {"region": "eu-west-1", "bucket_prefix": "office", "trust_bundle": "/srv/authority.pem"}
    monitoring = {**raw["monitoring"], "amp": AMP}
    return {**raw, "cloud": {"provider": "aws", "aws": aws}, "monitoring": monitoring, **sections}


def rendered(project_sources: Sources, host: str, **sections: Any) -> Desired:
    """What a host of that fleet should be."""
    return desired(config.parse(described(**sections)), host, project_sources)


def profiles(found: Desired) -> dict[str, str]:
    """The profiles of a host and their commands."""
    parser = configparser.RawConfigParser()
    parser.read_string(found.files[sessions.PROFILES].content.decode())
    return {name: parser[name]["credential_process"] for name in parser.sections()}


def test_each_use_of_the_account_has_a_profile_of_its_own(project_sources: Sources) -> None:
    """Root signs; the loop and Prometheus ask at sockets that are theirs alone."""
    run = "/usr/bin/python3 -IS /usr/local/lib/sparkfleet/roles-anywhere.py"
    signs = f"{run} session /etc/sparkfleet/identity/roles-anywhere.json"

    assert profiles(rendered(project_sources, "spark-01")) == {
        "profile sparkfleet-prometheus": f"{run} ask /run/sparkfleet-credentials/prometheus"
    }
    assert profiles(rendered(project_sources, "spark-02")) == {
        "profile sparkfleet-datasets": signs,
        "profile sparkfleet-label": f"{run} ask /run/sparkfleet-credentials/label",
    }


def test_a_socket_is_there_for_whoever_asks_and_for_nobody_else(project_sources: Sources) -> None:
    """Its owner alone may open it."""
    one, two = (rendered(project_sources, host) for host in ("spark-01", "spark-02"))

    for found, use, user in ((one, "prometheus", "prometheus"), (two, "label", "sparkfleet-label")):
        assert [path for path in found.files if path.startswith(f"{CREDENTIALS}-")] == [f"{CREDENTIALS}-{use}.socket"]
        assert found.settings[f"unit:sparkfleet-credentials-{use}.socket"] == "enabled,active"
        text = found.files[f"{CREDENTIALS}-{use}.socket"].content.decode()
        assert f"SocketUser={user}\nSocketMode=0600\nService=sparkfleet-credentials.service\n" in text


def test_programs_are_told_their_profile_and_where_it_stands(project_sources: Sources) -> None:
    """Data sets, the loop and Prometheus, each by its own; whoever names a profile keeps it, and its file."""
    one, two = (rendered(project_sources, host) for host in ("spark-01", "spark-02"))
    at = parse(json.loads(two.files["/etc/sparkfleet/datasets.json"].content)).store
    models = json.loads(two.files["/etc/sparkfleet/label.json"].content)["models"]
    write = yaml.safe_load(one.files["/etc/prometheus/prometheus.yml"].content)["remote_write"][0]

    assert (at.profile, str(at.aws_config), at.region) == ("sparkfleet-datasets", sessions.PROFILES, "eu-west-1")
    assert (models["profile"], models["aws_config"]) == ("sparkfleet-label", sessions.PROFILES)
    assert (write["url"], "sigv4" in write) == ("http://127.0.0.1:9812/", False)
    unit = one.files["/etc/systemd/system/sparkfleet-samples.service"].content.decode()
    assert f"{write['authorization']['credentials_file']} {profiles(one)['profile sparkfleet-prometheus']}\n" in unit
    assert one.settings["unit:sparkfleet-samples.service"] == "enabled,active"

    named = rendered(project_sources, "spark-02", datasets={"aws_profile": "mine"})
    at = parse(json.loads(named.files["/etc/sparkfleet/datasets.json"].content)).store
    assert (at.profile, at.aws_config) == ("mine", None)


@pytest.mark.parametrize("own", [{"profile": "mine"}, {"role_arn": "arn:aws:iam::111122223333:role/writer"}])
def test_who_writes_samples_otherwise_is_left_to_prometheus(project_sources: Sources, own: dict[str, str]) -> None:
    """With a profile of its own, or another role to assume, as Prometheus' own settings have it."""
    raw = described()
    raw["monitoring"]["amp"] = {**AMP, **own}
    found = desired(config.parse(raw), "spark-01", project_sources)
    write = yaml.safe_load(found.files["/etc/prometheus/prometheus.yml"].content)["remote_write"][0]

    assert write["url"].startswith("https://aps-workspaces.eu-west-1.amazonaws.com/")
    assert write["sigv4"] == {"region": "eu-west-1", "profile": own.get("profile", "sparkfleet-prometheus"), **own}
    assert not {"/etc/systemd/system/sparkfleet-samples.service", sessions.WRITER_PATH} & found.files.keys()
    unit = found.files["/etc/systemd/system/prometheus.service.d/50-sparkfleet.conf"].content.decode()
    assert ("AWS_SDK_LOAD_CONFIG=1" in unit) is ("role_arn" in own)


@pytest.mark.parametrize("cloud", [description()["cloud"], {"provider": "none"}, None])
def test_without_an_account_that_lets_hosts_in_there_is_nothing_of_it(
    project_sources: Sources, cloud: dict[str, Any] | None
) -> None:
    """On the premises, without a store, and in an account without an authority."""
    aws = {"provider": "aws", "aws": {"region": "eu-west-1", "bucket_prefix": "office"}}
    found = rendered(project_sources, "spark-01", cloud=cloud or aws, datasets={"aws_profile": "mine"})

    assert not {sessions.CONFIG, sessions.PROGRAM_PATH} & found.files.keys()
    assert not [path for path in found.files if path.startswith(CREDENTIALS)]
    assert "sparkfleet-" not in str(profiles(found) if sessions.PROFILES in found.files else "")


def fleet_in(folder: Path) -> Fleet:
    """The fleet, with its controller in a folder of the test."""
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys/automation.pub").write_text("ssh-ed25519 AAAA sparkfleet")
    return config.parse(described(controller={"folder": str(folder)}))


def test_what_pulumi_records_is_what_the_host_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The resource's provider notes the text before it converges: the same digest then follows from the note alone."""
    fleet, provider = fleet_in(tmp_path), SparkHostProvider()
    provider._fleet = fleet
    seen: list[Desired] = []

    def converge(fleet: Fleet, name: str, *_: Any, **__: Any) -> Observed:
        seen.append(desired(fleet, name, sources.read(fleet)))
        return Observed({}, {"machine_id": "0" * 32}, "192.0.2.1")

    monkeypatch.setattr(spark_host, "converge", converge)
    before = desired(fleet, "spark-01", sources.read(fleet))
    provider.create({"host": "spark-01", "settings": {}, "session": TOLD})

    assert before.files[sessions.CONFIG].content == b"{}\n"
    assert seen[0].files[sessions.CONFIG].content == TOLD.encode()
    assert seen[0].settings[f"file:{sessions.CONFIG}"] != before.settings[f"file:{sessions.CONFIG}"]
    assert noted.noted(fleet) == {"spark-01": TOLD}


AUTHORITY = {"addresses": ["192.0.2.3"], "roles": ["authority"]}


def test_who_uses_the_account_without_a_certificate_is_told() -> None:
    """All of them at once, each by its role; with the role identity, or a profile of their own, nobody is."""
    raw = described()
    del raw["cloud"]["aws"]["trust_bundle"]
    raw["hosts"]["spark-03"] = AUTHORITY
    needs = "needs identity beside it, whose certificate opens the account"
    with pytest.raises(ConfigError) as caught:
        config.parse(raw)
    assert [fault for fault in caught.value.faults if needs in fault] == [
        f"hosts.spark-01.roles: monitor {needs}",
        f"hosts.spark-02.roles: datasets {needs}",
        f"hosts.spark-02.roles: label {needs}",
    ]

    for host in ("spark-01", "spark-02"):
        raw["hosts"][host]["roles"].append("identity")
    config.parse(raw)

    with pytest.raises(ConfigError, match=r"exporter\.port: 9812 is where samples for AMP are signed"):
        config.parse({**raw, "exporter": {"port": 9812}})
