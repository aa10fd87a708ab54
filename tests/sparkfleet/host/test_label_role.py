"""The role label: what a host gets, and that the loop reads what is rendered for it."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet import config
from sparkfleet.cloud import contents
from sparkfleet.cloud.contents import POLICY_NAME as POLICY
from sparkfleet.errors import ConfigError
from sparkfleet.host import sources, verify_request
from sparkfleet.host.desired import Desired, desired
from sparkfleet.model import Role
from tests.sparkfleet.host.conftest import description
from workloads.label import site

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources

UNIT = "/etc/systemd/system/spark-node-label@.service"
SERVICES = {
    "label_studio": {"url": "https://labels.example", "token": "file:/srv/token"},
    "models": {"bucket": "", "prefix": "calypso"},
    "calypso": {"metrics_url": "http://calypso:8002/metrics", "admin_key": "env:KEY"},
}


def described(**sections: Any) -> dict[str, Any]:
    """spark-02 has the loop, spark-01 scrapes it."""
    raw = description()
    raw["hosts"]["spark-02"]["roles"] += ["node", "datasets", "label"]
    raw["calypso"] = {"url": "http://calypso:8001"}
    return {**raw, "label": SERVICES, **sections}


def rendered(sources: Sources, host: str = "spark-02", **sections: Any) -> Desired:
    """What a host of that fleet should be."""
    return desired(config.parse(described(**sections)), host, sources)


def loaded(found: Desired, folder: Path) -> site.Site:
    """The rendered file, as the loop reads it from /etc/sparkfleet."""
    (folder / "label.json").write_bytes(found.files["/etc/sparkfleet/label.json"].content)
    return site.load(folder / "label.json")


def test_the_loop_reads_what_is_rendered(
    project_sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides of the file are held together; Calypso's address is that of its own section."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    found = loaded(rendered(project_sources), tmp_path)

    assert found == site.Site(
        workspace=Path("/var/lib/sparkfleet/label"),
        datasets=Path("/var/lib/sparkfleet/datasets"),
        artifacts=Path("/var/lib/sparkfleet/models"),
        python=Path("/opt/sparkfleet/label/bin/python"),
        label_studio=site.LabelStudio(url="https://labels.example", token_file=tmp_path / "label-studio-token"),
        models=site.Models(
            endpoint="http://s:1", region="us-east-1", bucket="office-models", prefix="calypso",
            credentials=tmp_path / "s3.json",
        ),
        keeping=site.Keeping(
            endpoint="http://s:1", region="us-east-1", bucket="office-artifacts", host="spark-02",
            credentials=tmp_path / "s3.json",
        ),
        calypso=site.Calypso(
            url="http://calypso:8001", metrics_url="http://calypso:8002/metrics",
            admin_key_file=tmp_path / "calypso-admin-key",
        ),
    )  # fmt: skip


AWS = {"provider": "aws", "aws": {"region": "eu-west-1", "bucket_prefix": "example"}}


@pytest.mark.parametrize(
    ("label", "cloud", "bucket"),
    [
        ({}, None, "office-artifacts"),
        ({"keep": None}, None, None),
        ({"models": {"bucket": "theirs", "aws_profile": "p"}}, None, "office-artifacts"),
        ({"models": {"aws_profile": "p"}}, {"provider": "none"}, None),
        ({}, AWS, None),
    ],
    ids=["store", "not wanted", "models elsewhere", "no store", "no sessions"],
)
def test_records_are_kept_where_the_host_has_a_key(
    project_sources: Sources, tmp_path: Path, label: dict[str, Any], cloud: dict[str, Any] | None, bucket: str | None
) -> None:
    """In the fleet's own bucket by the host's own key, whoever's bucket the models are in; else nowhere."""
    raw = {"label": label, **({"cloud": cloud, "datasets": {"aws_profile": "x"}} if cloud else {})}
    found = rendered(project_sources, **raw)
    at = loaded(found, tmp_path)

    assert (at.keeping.bucket if at.keeping else None) == bucket
    assert bool(at.keeping and at.keeping.credentials) == (bucket is not None)
    assert at.keeping is None or "LoadCredential=s3.json:" in found.files[UNIT].content.decode()


def test_in_its_unit_the_loop_finds_copies_of_the_secrets(
    project_sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each secret that the file names is one of the unit's credentials, and each credential is a described secret."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x")
    found = rendered(project_sources)
    given = dict(re.findall(r"^LoadCredential=(.*):(.*)$", found.files[UNIT].content.decode(), re.MULTILINE))
    at = loaded(found, tmp_path)
    assert at.label_studio
    assert at.models
    assert at.calypso
    named = {at.label_studio.token_file, at.models.credentials, at.calypso.admin_key_file}

    assert named == {Path("/run/credentials/x") / name for name in given.keys() - {"request"}}
    assert {f"secret:{path}" for name, path in given.items() if name != "request"} <= found.settings.keys()


def test_without_services_the_file_says_so(project_sources: Sources, tmp_path: Path) -> None:
    """A host that only converts and labels nothing is a host, too; no secret is asked for."""
    raw = {"calypso": {}, "label": {}, "cloud": {"provider": "none"}, "datasets": {"aws_profile": "x"}}
    found = rendered(project_sources, **raw)
    at = loaded(found, tmp_path)

    assert (at.label_studio, at.models, at.calypso) == (None, None, None)
    assert "LoadCredential=request" in found.files[UNIT].content.decode()
    assert not [key for key in found.settings if key.startswith("secret:")]


@pytest.mark.parametrize(
    ("cloud", "label", "expected"),
    [
        ({"provider": "none"}, {"models": {"aws_profile": "p"}}, (None, None, "office-models", None, "p")),
        (
            {"provider": "aws", "aws": {"region": "eu-west-1", "bucket_prefix": "example"}},
            {},
            (None, "eu-west-1", "example-models", None, ""),
        ),
        (None, {"models": {"bucket": "theirs", "aws_profile": "p"}}, ("http://s:1", "us-east-1", "theirs", None, "p")),
    ],
    ids=["none", "aws", "profile"],
)
def test_the_repository_is_where_the_store_is(
    project_sources: Sources, tmp_path: Path, cloud: dict[str, Any] | None, label: dict[str, Any], expected: Any
) -> None:
    """Of any provider; a profile takes the place of the host's own key."""
    sections = {"label": label, "datasets": {"aws_profile": "x"}, **({"cloud": cloud} if cloud else {})}
    at = loaded(rendered(project_sources, **sections), tmp_path).models
    assert at

    assert (at.endpoint, at.region, at.bucket, at.credentials, at.profile) == expected


def test_the_monitor_scrapes_the_loop_and_calypso(project_sources: Sources) -> None:
    """Under jobs of their own, and only the monitor may: the port is open to its addresses alone."""
    text = rendered(project_sources, "spark-01").files["/etc/prometheus/prometheus.yml"].content
    jobs = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    table = rendered(project_sources).files["/etc/sparkfleet/firewall.nft"].content.decode()

    assert jobs["roi"]["static_configs"] == [{"targets": ["[fd7a::2]:9811"], "labels": {"instance": "spark-02"}}]
    assert (jobs["calypso"]["metrics_path"], jobs["calypso"]["scheme"]) == ("/metrics", "http")
    assert jobs["calypso"]["static_configs"][0]["targets"] == ["calypso:8002"]
    assert re.findall(r"tcp dport 9811 (?:ip6? saddr \{ (.*) \} accept|(drop))", table) == [
        ("100.64.0.1, 192.0.2.1", ""),
        ("fd7a::1", ""),
        ("", "drop"),
    ]


def test_the_checks_are_told(tmp_path: Path) -> None:
    """Of a host with the role alone; the ports of both exporters are ports that a monitor may reach."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/automation.pub").write_text("ssh-ed25519 AAAA sparkfleet\n")
    fleet = config.parse(described(controller={"folder": str(tmp_path)}))
    today = dt.date(2026, 11, 21)
    there, elsewhere = (verify_request.request(fleet, host, "192.0.2.2", today) for host in ("spark-02", "spark-01"))

    assert there["label"]["credentials"] == ["calypso-admin-key", "label-studio-token", "s3.json"]
    assert (there["scraped_ports"], elsewhere["label"]) == ([9810, 9811], {})
    assert "label" in there["environments"]


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"hosts": {"a": {"addresses": ["192.0.2.1"], "roles": ["label"]}}}, r"hosts\.a\.roles: label needs node"),
        ({"label": {"port": 9810}}, r"label\.port: 9810 is also exporter\.port"),
        ({"cloud": {"provider": "none"}}, r"label\.models\.aws_profile: missing; without cloud\.provider"),
        ({"label": {"label_studio": {"url": "x", "token": "glsa"}}}, r"label\.label_studio\.token: expected \"file:"),
        ({"label": {"workspace": "relative"}}, r"label\.workspace: expected an absolute path"),
    ],
)
def test_what_does_not_fit_is_refused(sections: dict[str, Any], fault: str) -> None:
    """With the path to mend, before anything is touched."""
    with pytest.raises(ConfigError, match=fault):
        config.parse(described(**sections))


def test_secrets_are_references_in_every_file(tmp_path: Path) -> None:
    """What is rendered and recorded holds the reference at most: never what is behind it."""
    secret = tmp_path / "token"
    secret.write_text("do-not-show")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/automation.pub").write_text("ssh-ed25519 AAAA sparkfleet\n")
    studio = {"url": "https://labels.example", "token": f"file:{secret}"}
    fleet = config.parse(described(controller={"folder": str(tmp_path)}, label={"label_studio": studio}))
    found = desired(fleet, "spark-02", sources.read(fleet))

    assert found.settings["secret:/etc/sparkfleet/label-studio-token"] == f"label/label-studio-token key file:{secret}"
    everything = json.dumps(found.settings).encode() + b"".join(file.content for file in found.files.values())
    assert b"do-not-show" not in everything
    assert Role.LABEL in found.roles


@pytest.mark.parametrize(("bucket", "hosts"), [("", ["spark-02"]), ("theirs", [])])
def test_only_hosts_with_the_role_may_write_models(bucket: str, hosts: list[str]) -> None:
    """Below the described prefix of the fleet's own bucket; of another bucket its owner decides."""
    fleet = config.parse(described(label={"models": {"bucket": bucket, "prefix": "triton"}}))
    identities = {h: json.loads(contents.host_identity(fleet, h)["policies"][POLICY]) for h in fleet.hosts}
    writers = {
        host: statement["Resource"]
        for host, document in identities.items()
        for statement in document["Statement"]
        if statement["Sid"] == "PromoteModels"
    }

    assert fleet.promoters() == hosts
    assert writers == dict.fromkeys(hosts, "arn:aws:s3:::office-models/triton/*")


@pytest.mark.parametrize(
    ("heirs", "fault"),
    [
        ({"spark-09": "spark-01"}, r"label\.keep\.heirs\.spark-09: no such host"),
        ({"spark-01": "spark-02"}, r"label\.keep\.heirs\.spark-01: has not the role label"),
        ({"spark-02": "spark-02"}, r"label\.keep\.heirs\.spark-02: inherits from itself"),
    ],
)
def test_an_heir_is_a_host_with_the_role(heirs: dict[str, str], fault: str) -> None:
    """Whom it inherits from may be gone from the description: that is what it is for."""
    config.parse(described(label={**SERVICES, "keep": {"heirs": {"spark-02": "spark-00"}}}))
    with pytest.raises(ConfigError, match=fault):
        config.parse(described(label={**SERVICES, "keep": {"heirs": heirs}}))
