"""Two stand-ins that share the label loop's work, one of them with the loop's containers: their units under systemd.

Simulated: Docker, which is podman here (lab/spark/docker.py), their images, and the GPU. Real: Ray, by its lock.
"""

from __future__ import annotations

import secrets
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from lab.spark import docker
from tests.e2e.mutation import at_console, noticed_alone
from tests.e2e.mutations_sharing import MUTATIONS, SERVER
from tests.e2e.nights import Nights
from tests.e2e.under_test import FleetUnderTest, adopted_fleet, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.mutation import Mutation

pytestmark = [pytest.mark.lab, pytest.mark.drill]

HOST, OTHER = "spark-01", "spark-02"
LONGEST_UP_S = 2400  # 6 GB are fetched, written and compiled, on whatever disk and line there is
ENVIRONMENTS = "opt/sparkfleet/environments"
PROJECTS = {"shared": 16, "contained": 24}  # documents of each
PROJECT = 'name = "{}"\nlabels = ["PARTY"]\n[source]\nfolder = "documents"\n[convert]\nlayout = false\n'


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetUnderTest]:
    """The first host builds the loop's environment, the second one gets a copy; then all else is described."""
    folder = tmp_path_factory.mktemp("secrets")
    for name in ("ray", "store.json"):
        (folder / name).write_text(secrets.token_hex(32))
        (folder / name).chmod(0o600)
    with adopted_fleet(FleetUnderTest, "drill", 2, with_label) as made:
        up(made)
        [built] = (made.tree(HOST) / ENVIRONMENTS).glob("label-*")
        shutil.copytree(built, made.tree(OTHER) / ENVIRONMENTS / built.name, symlinks=True)
        images = docker.install(made.instance, HOST)
        made.described(lambda config: with_both(config, made, folder, images))
        for project, documents in PROJECTS.items():
            write(made, project, documents)
        at_console(made, HOST, "install -d /var/lib/sparkfleet/models")  # Docker would make it
        up(made)
        yield made


def up(fleet: FleetUnderTest) -> None:
    """`pulumi up`, which looks at every control."""
    done = fleet.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", timeout_s=LONGEST_UP_S)
    assert done.code == 0, done.text


def with_label(config: dict[str, Any]) -> None:
    """The role on the first host alone."""
    config["sparkfleet:hosts"][HOST]["roles"] = ["node", "datasets", "label"]
    config["sparkfleet:hosts"][OTHER]["roles"] = ["node", "datasets"]


def with_both(config: dict[str, Any], fleet: FleetUnderTest, folder: Path, images: dict[str, str]) -> None:
    """Both share work; on the first one the loop is in containers, too, and a recurring run is described."""
    config["sparkfleet:hosts"][HOST]["roles"].append("containers")
    config["sparkfleet:hosts"][OTHER]["roles"].append("label")
    config["sparkfleet:label"]["ray"] = {
        "machines": {host: fleet.instance.address(host) for host in (HOST, OTHER)},
        "head": HOST,
        "token": f"file:{folder / 'ray'}",
    }
    run = {"host": HOST, "folder": "/srv/label/shared", "prepare": "01:30", "learn": None}
    config["sparkfleet:label"]["recurring"] = {"spread": "1s", "quiet": "1s", "projects": {"shared": run}}
    config["sparkfleet:containers"]["loop"] = {
        "images": {"convert": images["job"], "train": images["job"], "store": images["server"]},
        "memory": {"convert": "2g", "store": "64m"},
        "secrets": {"store.json": f"file:{folder / 'store.json'}"},
    }


def write(fleet: FleetUnderTest, project: str, documents: int) -> None:
    """A project on the first host."""
    place = fleet.tree(HOST) / "srv/label" / project
    (place / "documents").mkdir(parents=True)
    (place / "project.toml").write_text(PROJECT.format(project))
    (place / "labels.xml").write_text("<View/>")
    for number in range(documents):
        (place / f"documents/{number}.html").write_text(f"<h1>Oak {number}</h1><p>Oak Ltd owes Elm Ltd {number}.</p>")


def test_both_units_of_ray_share_the_documents(fleet: FleetUnderTest) -> None:
    """Head and member work for a run that somebody starts on one of them, each as its unit started it."""
    ran = fleet.spark("node", HOST, "label", "run", "--project", "/srv/label/shared", "--to", "convert")

    assert ran.code == 0, ran.text
    assert "converted 16" in ran.text
    assert "machines 2" in ran.text


def test_a_container_and_a_recurring_run_take_turns(fleet: FleetUnderTest) -> None:
    """The timer's run waits while sparkfleet-convert@ has another project, whose lock lies in the shared workspace."""
    nights = Nights(fleet, HOST)
    nights.described_before(10, ["shared-prepare"])
    unit = "sparkfleet-convert@srv-label-contained"
    at_console(fleet, HOST, f"systemctl start --no-block {unit}")
    lock = fleet.tree(HOST) / "var/lib/sparkfleet/label/contained/lock"
    until(lambda: lock.exists() and lock.read_text(), lambda: fleet.on(HOST, f"journalctl -u {unit}").text, 120)
    nights.wake("shared-prepare")
    nights.until("shared-prepare", state="waiting", told="waits for a run of contained")
    at_console(fleet, HOST, f"while systemctl is-active --quiet {unit} || systemctl status {unit} | grep -q activating;"
               " do sleep 0.5; done")  # fmt: skip
    nights.until("shared-prepare", state="failed")  # nobody answers at Label Studio: it had its turn

    assert lock.with_name("converted.jsonl").read_text().count("\n") == PROJECTS["contained"]


def test_a_server_runs_as_described(fleet: FleetUnderTest) -> None:
    """Its unit starts it, and with it running every control passes."""
    at_console(fleet, HOST, f"systemctl start {SERVER}")
    until(lambda: "sparkfleet-store" in fleet.on(HOST, "docker ps").text, lambda: fleet.on(HOST, "docker ps").text, 60)
    verified = fleet.spark("verify", HOST)

    assert verified.code == 0, verified.text


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.control)
def test_the_control_fails_and_no_other(fleet: FleetUnderTest, mutation: Mutation) -> None:
    """Its own control notices, with evidence; everything else passes."""
    noticed_alone(fleet, HOST, mutation)
