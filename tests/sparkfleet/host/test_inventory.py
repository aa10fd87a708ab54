"""Desired state and changes → what Ansible is told: no more than the plan names, and never a secret."""

from __future__ import annotations

import base64
import json
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import inventory
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.parts import EXPORTER_PATH
from sparkfleet.host.plan import plan
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet


@pytest.fixture
def wanted(fleet: Fleet, project_sources: Sources) -> Desired:
    """A host with every role."""
    return desired(fleet, "spark-01", project_sources)


def without(wanted: Desired, *keys: str) -> dict[str, str]:
    """What a host has that lost these settings."""
    return {key: value for key, value in wanted.settings.items() if key not in keys}


def test_only_the_roles_that_the_plan_names_run(wanted: Desired) -> None:
    """A lost file of the exporter runs the exporter's role and records that role's digest alone."""
    changes = plan(without(wanted, f"file:{EXPORTER_PATH}"), wanted)

    told = inventory.variables(wanted, changes)

    assert told["sparkfleet_roles"] == ["exporter"]
    assert told["sparkfleet_role_digests"] == {"exporter": "digest-of-exporter"}


def test_only_the_packages_and_users_that_the_plan_names_are_told(wanted: Desired) -> None:
    """One lost package and one lost person are all that Ansible has to look at."""
    told = inventory.variables(wanted, plan(without(wanted, "package:jq", "user:bob"), wanted))

    assert told["sparkfleet_packages"] == ["jq"]
    assert told["sparkfleet_users"] == {"bob": "no sudo"}
    assert told["sparkfleet_secrets"] == {}


def test_a_role_that_runs_is_told_all_of_its_units(wanted: Desired) -> None:
    """Whatever changed in a role, its units must be up at the end; units of other roles are left alone."""
    told = inventory.variables(wanted, plan(without(wanted, "file:/etc/prometheus/rules/gb10-alerts.yml"), wanted))

    assert told["sparkfleet_units"] == {
        "prometheus-alertmanager.service": "enabled,active",
        "prometheus-blackbox-exporter.service": "enabled,active",
        "prometheus.service": "enabled,active",
    }


def test_without_a_plan_everything_is_told(wanted: Desired) -> None:
    """A playbook run by hand applies every role with every package, user and secret, and removes nothing."""
    told = inventory.variables(wanted, None)

    assert told["sparkfleet_roles"] == ["base", "access", "exporter", "monitor"]
    assert {f"package:{name}" for name in told["sparkfleet_packages"]} == {
        key for key in wanted.settings if key.startswith("package:")
    }
    assert told["sparkfleet_users"] == {"alice": "sudo", "bob": "no sudo"}
    assert (told["sparkfleet_remove"], told["sparkfleet_stop"]) == ([], [])


def test_what_is_no_longer_described_is_listed_for_removal(wanted: Desired) -> None:
    """Files, links and secrets by path to move away, units by name to stop; nothing described stands there."""
    gone = {
        "file:/etc/old": "0123456789abcdef 0644 root:root",
        "link:/etc/alias": "/etc/old",
        "secret:/etc/sparkfleet/old.json": "unknown",
        "unit:old.service": "enabled,active",
    }

    told = inventory.variables(wanted, plan({**wanted.settings, **gone}, wanted))

    assert told["sparkfleet_remove"] == ["/etc/old", "/etc/alias", "/etc/sparkfleet/old.json"]
    assert told["sparkfleet_stop"] == ["old.service"]
    assert told["sparkfleet_roles"] == ["base"]


def test_what_is_managed_is_what_can_be_taken_away_again(wanted: Desired) -> None:
    """The marker remembers files, links, units, secrets and people; packages and kernel settings stay."""
    managed = inventory.variables(wanted, None)["sparkfleet_managed"]

    assert {key.partition(":")[0] for key in managed} == {"file", "link", "unit", "secret", "user"}
    assert managed == {k: v for k, v in wanted.settings.items() if k.startswith(inventory.MANAGED)}


def test_no_secret_value_is_in_what_ansible_reads(tmp_path: Path, fleet: Fleet, project_sources: Sources) -> None:
    """The store's key lies in a file of the controller; inventory and tree name the file, never what is in it."""
    controller = fleet.controller.model_copy(update={"folder": tmp_path})
    here = fleet.model_copy(update={"controller": controller})
    key_file = controller.secrets / "s3" / "spark-01.json"
    key_file.parent.mkdir(parents=True)
    key_file.write_text('{"secret_access_key": "do-not-show"}')
    wanted = desired(here, "spark-01", project_sources)

    told = inventory.host_variables(here, wanted, None, tmp_path / "tree.json", "192.0.2.1")

    assert told["sparkfleet_secrets"] == {"/etc/sparkfleet/s3.json": {"reference": f"file:{key_file}"}}
    assert "do-not-show" not in json.dumps(told) + inventory.tree(wanted)


def test_the_tree_holds_every_file_byte_for_byte(wanted: Desired) -> None:
    """Text stands as text, what is none as base64; with role, mode, owner, group and validator."""
    files = json.loads(inventory.tree(wanted))["files"]

    assert set(files) == set(wanted.files)
    for path, file in wanted.files.items():
        entry = files[path]
        content = base64.b64decode(entry["base64"]) if "base64" in entry else entry["text"].encode()
        assert content == file.content
        assert [entry[k] for k in ("role", "mode", "owner", "group", "validate")] == [
            file.role,
            file.mode,
            file.owner,
            file.group,
            file.validate,
        ]
    assert "base64" in files[EXPORTER_PATH]


def test_the_tree_of_a_plan_holds_only_the_files_that_it_names(wanted: Desired) -> None:
    """One changed file does not ship the exporter's megabyte; what may lie in an exact folder is told in full."""
    changes = plan(without(wanted, "file:/etc/prometheus/rules/gb10-alerts.yml"), wanted)

    tree = json.loads(inventory.tree(wanted, changes))

    assert set(tree["files"]) == {"/etc/prometheus/rules/gb10-alerts.yml"}
    assert tree["exact"]["/etc/ssh/authorized_keys"]["names"] == ["alice", "bob", "sparkfleet"]


def test_the_tree_names_links_and_the_only_names_of_exact_folders(wanted: Desired) -> None:
    """What else lies in such a folder is moved away."""
    tree = json.loads(inventory.tree(wanted))

    assert tree["links"] == {
        "/etc/localtime": {"role": "base", "target": "/usr/share/zoneinfo/Europe/Berlin"},
        "/etc/systemd/system/apport.service": {"role": "base", "target": "/dev/null"},
        "/etc/systemd/system/ctrl-alt-del.target": {"role": "base", "target": "/dev/null"},
        "/etc/systemd/system/nvmf-autoconnect.service": {"role": "exporter", "target": "/dev/null"},
    }
    assert {folder: entry["names"] for folder, entry in tree["exact"].items()} == {
        "/etc/prometheus/rules": ["gb10-alerts.yml", "gb10-recording.yml"],
        "/etc/ssh/authorized_keys": ["alice", "bob", "sparkfleet"],
        "/etc/ssh/sshd_config.d": ["00-sparkfleet.conf"],
    }


def test_the_tree_is_readable_by_the_controller_alone(tmp_path: Path, wanted: Desired) -> None:
    """It holds no secret, but what sshd allows is nobody else's business."""
    file = inventory.write_tree(tmp_path / "trees", wanted)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.name == "spark-01.json"


def test_the_inventory_groups_hosts_by_role_and_ring(fleet: Fleet, project_sources: Sources) -> None:
    """`--limit monitor` means the hosts with that role, ring_canary who is upgraded first; every host is in `all`."""
    hosts = {}
    for name in fleet.hosts:
        wanted = desired(fleet, name, project_sources)
        hosts[name] = inventory.host_variables(fleet, wanted, None, Path("/tree"), "192.0.2.1")

    document = inventory.inventory(hosts)

    assert document["all"] == {"hosts": ["spark-01", "spark-02"]}
    assert document["monitor"] == {"hosts": ["spark-01"]}
    assert document["ring_canary"] == {"hosts": ["spark-02"]}
    assert set(document) == {"all", "_meta", *Role, "ring_canary", "ring_wave", "ring_rest"}
    assert document["_meta"]["hostvars"] == hosts


def test_ansible_connects_to_the_address_that_answered_and_trusts_the_pinned_key(fleet: Fleet, wanted: Desired) -> None:
    """The address, the automation user and the options that pin the host key under the host's own name."""
    told = inventory.host_variables(fleet, wanted, None, Path("/tree"), "192.0.2.1")
    options = shlex.split(told["ansible_ssh_common_args"])

    assert (told["ansible_host"], told["ansible_port"], told["ansible_user"]) == ("192.0.2.1", 22, "sparkfleet")
    assert {"HostKeyAlias=spark-01", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes"} <= set(options)
    assert "UserKnownHostsFile=/srv/controller/known_hosts" in options


def test_a_folder_with_spaces_reaches_ssh_in_one_piece(fleet: Fleet, wanted: Desired) -> None:
    """Ansible splits the options as a shell does: what belongs together stays together."""
    controller = fleet.controller.model_copy(update={"folder": Path("/srv/my fleet")})
    here = fleet.model_copy(update={"controller": controller})

    told = inventory.host_variables(here, wanted, None, Path("/tree"), "192.0.2.1")

    assert 'UserKnownHostsFile="/srv/my fleet/known_hosts"' in shlex.split(told["ansible_ssh_common_args"])
