"""Hosts that share the label loop's work: what each gets, what opens to whom, and which descriptions are refused."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.fitness import sharing
from sparkfleet.host import tailnet_policy, verify_request
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.parts import label
from tests.sparkfleet.host.conftest import description
from workloads.label import site
from workloads.label.spreading import machine

if TYPE_CHECKING:
    from pathlib import Path

    from sparkfleet.host.sources import Sources

RAY: dict[str, Any] = {
    "machines": {"spark-01": "192.0.2.1", "spark-02": "192.0.2.2"},
    "head": "spark-02",
    "token": "file:/srv/ray",
}
UNIT, FIREWALL = "/etc/systemd/system/sparkfleet-ray.service", "/etc/sparkfleet/firewall.nft"


def described(**ray: Any) -> dict[str, Any]:
    """Two hosts with the loop; those that Ray's section names share work."""
    raw = description()
    for host in raw["hosts"].values():
        host["roles"] = list(dict.fromkeys([*host["roles"], "node", "datasets", "label"]))
    return {**raw, "label": {"models": {"aws_profile": "loop"}, "ray": {**RAY, **ray}}}


def rendered(sources: Sources, host: str, raw: dict[str, Any] | None = None) -> Desired:
    """What a host of that fleet should be."""
    return desired(config.parse(raw or described()), host, sources)


def test_each_machine_reads_where_the_head_is_and_who_it_is_itself(
    project_sources: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both sides of label.json are held together; one host is the head, and the token comes by file."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    heads = {}
    for host, own in RAY["machines"].items():
        file = tmp_path / f"{host}.json"
        file.write_bytes(rendered(project_sources, host).files["/etc/sparkfleet/label.json"].content)
        ray = site.load(file).ray
        assert (ray.address, ray.own_address, ray.token_file) == ("192.0.2.2:9820", own, tmp_path / "ray-token")
        heads[host] = "--head" in machine.words(ray, tmp_path)
    assert heads == {"spark-01": False, "spark-02": True}


def test_a_machine_opens_rays_ports_to_the_others_alone(project_sources: Sources) -> None:
    """As many ports as Ray is told; from the others' addresses, whatever the interface; everybody else is dropped."""
    table = rendered(project_sources, "spark-01").files[FIREWALL].content.decode()
    ports = f"9820-{9820 + machine.PORTS - 1}"
    lines = [line.strip() for line in table.splitlines() if ports in line]
    assert lines[0] == f"tcp dport {ports} ip saddr {{ 192.0.2.2 }} accept"
    assert lines[1:] == [f"tcp dport {ports} drop"]


def test_both_sides_know_the_same_folder_and_as_many_ports() -> None:
    """The unit's folder is the program's, and the firewall's range is the one that Ray is told."""
    assert (str(machine.FOLDER.parent), machine.PORTS) == (label.RAY, sharing.PORTS)


def test_its_ports_are_described_ones_to_the_check_of_what_listens(tmp_path: Path) -> None:
    """Ray listens on every address, the firewall says who reaches it: LABEL-08's, not ACCESS-18's."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/automation.pub").write_text("ssh-ed25519 AAAA sparkfleet\n")
    fleet = config.parse({**described(), "controller": {"folder": str(tmp_path)}})
    told = verify_request.request(fleet, "spark-01", "192.0.2.1", dt.date(2026, 11, 22))
    assert {9820, 9849} <= set(told["checked_ports"])
    assert told["label"]["ray"]["others"] == ["192.0.2.2"]


def test_a_closed_firewall_lets_the_link_in_beside_the_tailnet(project_sources: Sources) -> None:
    """Ports that are for the tailnet alone stay so; those of Ray come by the link."""
    raw = described()
    raw["access"] = {**raw.get("access", {}), "tailnet_only": True}
    for number, host in enumerate(raw["hosts"].values(), 1):
        host["roles"].append("tailnet")
        host["addresses"] = [f"100.64.0.{number}"]
    raw["tailnet"] = {**raw.get("tailnet", {}), "auth_key": "file:/srv/key"}
    table = rendered(project_sources, "spark-01", raw).files[FIREWALL].content.decode()
    [line] = [line.strip() for line in table.splitlines() if "dport 9820" in line]
    assert line.startswith("tcp dport 9820-9849 ip saddr { 192.0.2.2 }")


def test_the_tailnets_policy_has_no_word_on_it() -> None:
    """Rules for a link that the tailnet does not carry would open what nobody needs."""
    with_ray, raw = config.parse(described()), described()
    del raw["label"]["ray"]
    assert tailnet_policy.document(with_ray) == tailnet_policy.document(config.parse(raw))


def test_ray_runs_as_the_loops_user_with_no_secret_but_its_token(project_sources: Sources) -> None:
    """Whoever has the token runs programs there: with no more than the loop's jobs may, and without their secrets."""
    found = rendered(project_sources, "spark-01")
    unit = found.files[UNIT].content.decode().splitlines()
    assert "User=sparkfleet-label" in unit
    assert [line for line in unit if line.startswith("LoadCredential")] == [
        "LoadCredential=ray-token:/etc/sparkfleet/ray-token"
    ]
    assert {"CapabilityBoundingSet=", "NoNewPrivileges=yes", "ProtectSystem=strict", "StateDirectoryMode=0700"} <= {
        *unit
    }
    assert found.settings["unit:sparkfleet-ray.service"] == "enabled,active"
    assert "environment:ray" in found.settings
    assert "secret:/etc/sparkfleet/ray-token" in found.settings


def test_a_host_that_shares_nothing_has_none_of_it(project_sources: Sources) -> None:
    """No Ray, no token, no port, no second folder to write to."""
    raw = described()
    del raw["label"]["ray"]
    found, shared = rendered(project_sources, "spark-01", raw), rendered(project_sources, "spark-01")
    assert UNIT in shared.files
    assert UNIT not in found.files
    assert not [key for key in found.settings if "ray" in key.removeprefix("file:")]
    assert "9820" not in found.files[FIREWALL].content.decode()
    assert label.expected(config.parse(raw), "spark-01")["writes"] == ["/var/lib/sparkfleet/label"]


@pytest.mark.parametrize(
    ("ray", "words"),
    [
        ({"head": "spark-03"}, "label.ray.head: spark-03 is not among"),
        ({"machines": {**RAY["machines"], "spark-09": "192.0.2.9"}}, "label.ray.machines.spark-09: no such host"),
        ({"machines": {"spark-01": "192.0.2.1", "spark-02": "192.0.2.1"}}, "192.0.2.1 is also the address of spark-01"),
        ({"machines": {"spark-01": "100.64.0.1", "spark-02": "192.0.2.2"}}, "100.64.0.1 is in the tailnet"),
        ({"machines": {"spark-02": "192.0.2.2"}}, "label.ray.machines"),
        ({"machines": {"spark-01": "fd00::1", "spark-02": "192.0.2.2"}}, "expected an IPv4 address"),
        ({"port": 9800}, "label.ray.port: 9800 to 9829 contain exporter.port"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(ray: dict[str, Any], words: str) -> None:
    """Before anything is touched."""
    with pytest.raises(ConfigError) as raised:
        config.parse(described(**ray))
    assert words in str(raised.value)
