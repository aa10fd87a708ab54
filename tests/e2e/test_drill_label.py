"""The role label on a host, with its whole environment (5 GB) from the real lock: what its verbs may do, and its end.

What Label Studio and Calypso answer is tested in tests/workloads/label/lab; here nobody is at their addresses.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import footprint, nights
from tests.e2e.mutation import at_console, noticed_alone
from tests.e2e.mutations_label import MUTATIONS
from tests.e2e.under_test import FleetUnderTest, adopted_fleet, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.mutation import Mutation

pytestmark = [pytest.mark.lab, pytest.mark.drill]

HOST = "spark-01"
LONGEST_UP_S = 2400  # 6 GB are fetched, written and compiled, on whatever disk and line there is
TOKEN, KEY = "ls-token-of-the-drill", "admin=key-of-the-drill"
PROJECT = """\
name = "drill"
labels = ["PARTY"]
[source]
folder = "documents"
[convert]
layout = false
"""
# What a library that a document has taken over would try, each with what came of it; in the place of `spark-node`.
TRIES = r"""#!/bin/sh
can() { name=$1; shift; "$@" >/dev/null 2>&1 && echo "$name: yes" || echo "$name: no"; }
can "be root" test "$(id -u)" = 0
can "command systemd" busctl call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
    org.freedesktop.systemd1.Manager ResetFailed
can "read the token" cat /etc/sparkfleet/label-studio-token
can "read the key of the store" cat /etc/sparkfleet/s3.json
can "read its own copy" test "$(cat "${CREDENTIALS_DIRECTORY:-/none}/label-studio-token")" = TOKEN
can "write to its workspace" touch /var/lib/sparkfleet/label/tried
can "write to data sets" touch /var/lib/sparkfleet/datasets/tried
can "write elsewhere" touch /var/lib/sparkfleet/tried /opt/sparkfleet/tried /etc/tried
"""


@pytest.fixture(scope="module")
def before() -> list[footprint.Footprint]:
    """The host after it was adopted and before anything else was done to it."""
    return []


@pytest.fixture(scope="module")
def fleet(before: list[footprint.Footprint], tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetUnderTest]:
    """One stand-in that scrapes itself, with node, datasets and label."""
    secrets = tmp_path_factory.mktemp("secrets")
    with adopted_fleet(FleetUnderTest, "drill", 1, lambda config: with_label(config, secrets)) as made:
        before.append(footprint.of(made, HOST))
        words = ("up", "--yes", "--skip-preview", "--non-interactive", "--color=never")
        up = made.run("pulumi", *words, timeout_s=LONGEST_UP_S)
        assert up.code == 0, up.text
        yield made


def with_label(config: dict[str, Any], secrets: Path) -> None:
    """The role, and services that nobody answers at, with their secrets."""
    config["sparkfleet:hosts"][HOST]["roles"] = ["node", "datasets", "label", "monitor"]
    for name, text in (("token", TOKEN), ("key", KEY)):
        (secrets / name).write_text(text)
        (secrets / name).chmod(0o600)
    config["sparkfleet:label"].update(
        label_studio={"url": "http://127.0.0.1:9", "token": f"file:{secrets / 'token'}"},
        calypso={"url": "http://127.0.0.1:9", "admin_key": f"file:{secrets / 'key'}"},
        recurring=nights.described(HOST),
    )


def test_the_host_is_as_described_and_every_control_passes(fleet: FleetUnderTest) -> None:
    """A second look finds no change; the exporter is scraped, and the environment is what was locked."""
    verified = fleet.spark("verify", HOST)

    assert fleet.changes(HOST) == {HOST: []}
    assert verified.code == 0, verified.text


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.control)
def test_the_control_fails_and_no_other(fleet: FleetUnderTest, mutation: Mutation) -> None:
    """Its own control notices, with evidence; everything else passes."""
    noticed_alone(fleet, HOST, mutation)


def test_a_project_runs_there_as_a_user_of_its_own(fleet: FleetUnderTest) -> None:
    """A document becomes text there; what is written is the loop's, for all to read."""
    place = fleet.tree(HOST) / "srv/label/drill"
    (place / "documents").mkdir(parents=True)
    (place / "project.toml").write_text(PROJECT)
    (place / "labels.xml").write_text("<View/>")
    (place / "documents/one.html").write_text("<h1>Oak</h1><p>Oak Ltd owes Elm Ltd ten pounds.</p>")

    ran = fleet.spark("node", HOST, "label", "run", "--project", "/srv/label/drill", "--to", "convert")
    status = fleet.spark("node", HOST, "label", "status", "--project", "/srv/label/drill")
    converted = fleet.on(HOST, "stat -c %U:%a /var/lib/sparkfleet/label/drill/converted.jsonl")

    assert (ran.code, status.code) == (0, 0), ran.text + status.text
    assert converted.text.strip() == "sparkfleet-label:644"


def test_whoever_takes_over_a_library_gets_little(fleet: FleetUnderTest) -> None:
    """Beside it what root without a capability could do: it is why the loop's verbs are not root's."""
    program = "/usr/local/bin/spark-node"
    (fleet.tree(HOST) / "root/tries").write_text(TRIES.replace("TOKEN", TOKEN))
    at_console(fleet, HOST, f"cp -p {program} {program}.kept; cat /root/tries > {program}; rm /root/tries")
    try:
        loop, other = fleet.spark("node", HOST, "label", "tries"), fleet.spark("node", HOST, "tries")
    finally:
        at_console(fleet, HOST, f"mv {program}.kept {program}; rm -f /var/lib/sparkfleet/datasets/tried")
    as_loop, as_root = (dict(re.findall(r"^(.+): (yes|no)$", run.text, re.MULTILINE)) for run in (loop, other))
    print(loop.text, other.text, sep="\n")

    assert {what for what, came in as_loop.items() if came == "yes"} == {"read its own copy", "write to its workspace"}
    assert {"be root", "command systemd", "read the key of the store"} <= {w for w, c in as_root.items() if c == "yes"}


@pytest.fixture(scope="module")
def recurring(fleet: FleetUnderTest) -> Iterator[nights.Nights]:
    """The described runs, with stages that only last."""
    made = nights.Nights(fleet, HOST)
    with made.stages():
        yield made


def test_missed_nights_are_made_up_for_once_and_one_after_the_other(recurring: nights.Nights) -> None:
    """The host was off for ten days: at its start four runs are due at once. Who wakes them again finds nothing."""
    recurring.off_for(10)
    for run in nights.RUNS:
        recurring.until(run, state="done")
    recurring.wake(*nights.RUNS)
    recurring.rest()
    log, under_way = recurring.log(), 0
    for line in log:
        under_way += 1 if line.endswith("begins") else -1
        assert under_way in {0, 1}, log

    for project in nights.PROJECTS:
        assert (log.count(f"{project} fetch ends"), log.count(f"{project} finetune ends")) == (1, 1)
        assert log.count(f"{project} roi ends") == 2


def test_a_training_gives_way_to_somebody_at_the_gpu(recurring: nights.Nights) -> None:
    """In the middle: its stage is ended, and begins again when they are gone."""
    begun = recurring.log().count("drill finetune begins")
    hold = recurring.folder / "drill/hold-finetune"
    hold.touch()
    recurring.described_before(10, ["drill-learn"])
    recurring.wake("drill-learn")
    until(lambda: recurring.log().count("drill finetune begins") == begun + 1, recurring.log, 60)
    with recurring.somebody("notebook.service"):
        recurring.until("drill-learn", state="waiting", told="waits for notebook.service")
        hold.unlink()
    recurring.until("drill-learn", state="done", gave_way=1)

    assert recurring.log().count("drill finetune begins") == begun + 2


def test_everybody_sees_how_recurring_runs_stand(fleet: FleetUnderTest, recurring: nights.Nights) -> None:
    """Next, last and result in the status, from within the verb's unit; the same as metrics."""
    asked = ("label", "status", "--project", f"{nights.FOLDER}/drill")
    status, shown = fleet.spark("node", HOST, *asked, "--json"), fleet.spark("node", HOST, *asked)
    rows = {row["name"]: row for row in json.loads(status.text.splitlines()[0])["recurring"]}
    fetch = r"import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:9811/metrics\").read().decode())"
    metrics = fleet.on(HOST, f'python3 -c "{fetch}"').text
    print(shown.text)

    assert {name: row["last"]["state"] for name, row in rows.items()} == dict.fromkeys(rows, "done")
    assert all(row["next_at"] for row in rows.values())
    assert 'sparkfleet_roi_recurring_failed{project="drill",run="learn"} 0' in metrics
    assert 'sparkfleet_roi_recurring_gave_way{project="drill",run="learn"} 1' in metrics
    assert recurring.told("drill-prepare")["state"] in shown.text


def test_a_reset_leaves_the_host_as_before(fleet: FleetUnderTest, before: list[footprint.Footprint]) -> None:
    """The user and 5 GB go; what was made of documents stays, and is named."""
    at_console(fleet, HOST, "rm -r /srv/label")
    reset = fleet.spark("reset", HOST, "--yes", HOST)

    assert reset.code == 0, reset.text
    assert footprint.unexplained(fleet, HOST, before[0]) == []
    assert (fleet.tree(HOST) / "var/lib/sparkfleet/label/drill/documents.jsonl").is_file()
