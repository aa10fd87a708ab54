"""The role tailnet and a closed host: what is described, what Ansible is told, and which secret is nowhere."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet import config
from sparkfleet.host import inventory, roles
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.plan import plan
from sparkfleet.model import Role
from tests.sparkfleet.host.conftest import description

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet
    from tests.sparkfleet.host.conftest import Golden

KEYRING = "/etc/apt/keyrings/sparkfleet-tailscale.asc"
SOURCE = "/etc/apt/sources.list.d/sparkfleet-tailscale.sources"
PREPARE = "/usr/local/lib/sparkfleet/tailnet-prepare"
# What a host gets beside what the same host without tailnet has, or has otherwise.
CLOSED = (
    "etc/apt/sources.list.d/sparkfleet-tailscale.sources",
    "etc/audit/rules.d/50-sparkfleet.rules",
    "etc/default/tailscaled",
    "etc/sparkfleet/firewall.nft",
    "etc/sparkfleet/rotation.json",
    "etc/ssh/sshd_config.d/00-sparkfleet.conf",
    "etc/systemd/system/tailscaled.service.d/50-sparkfleet.conf",
    "usr/local/lib/sparkfleet/console-password",
    "usr/local/lib/sparkfleet/repository-key",
    "usr/local/lib/sparkfleet/tailnet-prepare",
)


def closed(**tailnet: Any) -> Fleet:
    """The goldens' fleet, reached over the tailnet alone, with an account for the console."""
    raw = description()
    raw["hosts"]["spark-01"] |= {"addresses": ["100.64.0.1", "192.0.2.1"], "roles": ["exporter", "monitor", "tailnet"]}
    raw["hosts"]["spark-02"] |= {"addresses": ["100.64.0.2", "192.0.2.2"], "roles": ["exporter", "tailnet"]}
    raw["tailnet"] = {"auth_key": "env:AUTH_KEY", "tags": ["tag:spark", "tag:gpu"], **tailnet}
    raw["access"] |= {
        "tailnet_only": True,
        "open": {"enp1s0f*": ["all"], "enP7s7": ["tcp/8000", "udp/5353"]},
        "console": {"password_hash": "env:CONSOLE"},
    }
    return config.parse(raw)


def rendered(sources: Sources, **tailnet: Any) -> Desired:
    """What spark-01 of that fleet should be."""
    fleet = closed(**tailnet)
    more = {roles.TAILNET_KEY: b"the key"} if fleet.tailnet.key else {}
    return desired(fleet, "spark-01", dataclasses.replace(sources, raw={**sources.raw, **more}))


def test_each_file_of_a_closed_host_is_the_golden_one(project_sources: Sources, golden: Golden) -> None:
    """Those that differ from an open host's, word for word."""
    found = rendered(project_sources)
    for path in CLOSED:
        golden.check(f"spark-01-closed/{path}", found.files[f"/{path}"].content.decode())

    assert golden.names("spark-01-closed") == set(CLOSED)


def test_how_the_node_stands_is_described(project_sources: Sources) -> None:
    """State, control server, tags in order, name; neither Tailscale's names nor its SSH."""
    found = rendered(project_sources)
    mine = {key: value for key, value in found.settings.items() if found.role_of(key) is Role.TAILNET}

    assert {key: value for key, value in mine.items() if key.startswith("tailnet:")} == {
        "tailnet:accept_dns": "no",
        "tailnet:hostname": "spark-01",
        "tailnet:login_server": "https://controlplane.tailscale.com",
        "tailnet:ssh": "no",
        "tailnet:state": "Running",
        "tailnet:tags": "tag:gpu tag:spark",
    }
    assert mine["unit:tailscaled.service"] == "enabled,active"


def test_a_host_without_the_role_gets_nothing_of_it(fleet: Fleet, project_sources: Sources) -> None:
    """No package source, no file, no setting."""
    assert not [key for key in desired(fleet, "spark-01", project_sources).settings if "tail" in key]


@pytest.mark.parametrize("login_server", ["https://control.example", "http://192.0.2.9:31544"])
def test_another_control_server_is_the_described_one(login_server: str, project_sources: Sources) -> None:
    """As tailscaled tells it back."""
    found = rendered(project_sources, login_server=login_server)
    assert found.settings["tailnet:login_server"] == login_server


def test_the_auth_key_is_no_setting_and_no_secret_of_the_host(project_sources: Sources) -> None:
    """It is used once: what it brought about is described, so its absence is no drift."""
    found = rendered(project_sources)
    assert "AUTH_KEY" not in json.dumps([found.settings, inventory.tree(found)])


def test_ansible_is_told_the_keys_reference_and_the_nodes_settings(project_sources: Sources) -> None:
    """The whole node when one of its settings differs; nothing when the role has nothing to do."""
    found = rendered(project_sources)
    lost = {key: value for key, value in found.settings.items() if key != "tailnet:state"}

    joins = inventory.host_variables(closed(), found, plan(lost, found), Path("/tree"), "192.0.2.1")
    idle = inventory.variables(found, plan({**found.settings, "package:jq": "gone"}, found))

    assert joins["sparkfleet_tailnet_key"] == "env:AUTH_KEY"
    assert joins["sparkfleet_tailnet"] == {
        key.removeprefix("tailnet:"): value for key, value in found.settings.items() if key.startswith("tailnet:")
    }
    assert idle["sparkfleet_tailnet"] == {}


def test_the_package_waits_for_its_repository(project_sources: Sources) -> None:
    """`tailscale` is no package of the common list, which is installed before the repository is there."""
    found = rendered(project_sources)
    tasks = yaml.safe_load(Path("playbooks/roles/tailnet/tasks/main.yml").read_text())

    assert "package:tailscale" not in found.settings
    assert [t["sparkfleet.host.packages"] for t in tasks if "sparkfleet.host.packages" in t] == [
        {"names": ["tailscale"]}
    ]
    assert f"Signed-By: {KEYRING}" in found.files[SOURCE].content.decode()


def test_a_host_whose_own_sources_have_the_package_gets_no_repository(project_sources: Sources) -> None:
    """`repository: ""`: neither source, nor key, nor what makes it, nor the programs for that."""
    found = rendered(project_sources, repository="", key="/srv/tailscale.asc")

    assert not {SOURCE, KEYRING, PREPARE} & set(found.files)
    assert "package:gnupg" not in found.settings


def test_a_key_from_the_description_is_shipped(project_sources: Sources) -> None:
    """Nothing is fetched then."""
    found = rendered(project_sources, key="/srv/tailscale.asc")

    assert found.files[KEYRING].content == b"the key"
    assert "noble.asc" not in found.files[PREPARE].content.decode()


def test_the_account_for_the_console_has_sudo_and_no_key(project_sources: Sources) -> None:
    """A user with sudo, whose hash is a secret, whom sshd refuses and for whom there is no file of keys."""
    sources = dataclasses.replace(project_sources, secret_versions={"access/console": "12ab34cd"})
    found = rendered(sources)

    assert found.settings["user:console"] == "sudo"
    assert found.settings["secret:/etc/sparkfleet/console-password"] == "access/console key 12ab34cd"
    assert "console" not in found.settings["listing:/etc/ssh/authorized_keys"].split()
    assert "\nDenyUsers console\n" in found.files["/etc/ssh/sshd_config.d/00-sparkfleet.conf"].content.decode()
