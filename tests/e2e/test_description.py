"""A description that is wrong, or that changed → what a user is told."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet.host import sources

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab


def test_a_faulty_description_is_reported_whole_and_touches_nothing(fleet: FleetUnderTest) -> None:
    """Seven faults give seven messages in one `pulumi preview`, and no host sees a login."""
    good = fleet.description.read_text()
    before = fleet.logins("spark-02")

    def spoil(described: dict[str, Any]) -> None:
        described["sparkfleet:hosts"]["spark-01"]["adresses"] = ["10.0.0.1"]
        described["sparkfleet:hosts"]["spark-02"]["port"] = "ssh"
        described["sparkfleet:hosts"]["spark-03"]["roles"] = ["exportr"]
        described["sparkfleet:hosts"]["spark-04"]["addresses"] = []
        described["sparkfleet:base"]["journal_max_use"] = "lots"
        described["sparkfleet:monitr"] = {}
        described["sparkfleet:cloud"]["generations"] = {"spark-09": 2}

    fleet.described(spoil)
    try:
        preview = fleet.pulumi("preview")
        plan = fleet.spark("plan")
    finally:
        fleet.description.write_text(good)
    paths = [
        "hosts.spark-01.adresses: unknown key; did you mean addresses?",
        "hosts.spark-02.port:",
        "hosts.spark-03.roles[0]:",
        "hosts.spark-04.addresses:",
        "base.journal_max_use:",
        "monitr: unknown key; did you mean monitor?",
        "cloud.generations.spark-09: no such host",
    ]
    assert preview.code != 0
    assert plan.code == 3
    assert [path for path in paths if path not in preview.text] == []
    assert [path for path in paths if path not in plan.text] == []
    assert "7 faults" in plan.text
    assert fleet.logins("spark-02") == before


def test_an_edited_task_shows_as_its_role(converged: FleetUnderTest, tmp_path: Path) -> None:
    """Editing a task file of a role shows as role:NAME on every host that has it, and as nothing else."""
    elsewhere = tmp_path / "checkout"  # edited there: other tests read this one meanwhile
    left_out = shutil.ignore_patterns(".lab", ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(sources.PROJECT, elsewhere, ignore=left_out)
    (elsewhere / ".venv").symlink_to(sources.PROJECT / ".venv")
    described = elsewhere / converged.description.name
    described.write_text(described.read_text().replace(".lab/", f"{sources.PROJECT}/.lab/"))
    with (elsewhere / "playbooks/roles/exporter/vars/main.yml").open("a") as tasks:
        tasks.write("# edited by a test\n")
    there = replace(converged, checkout=elsewhere)

    preview = there.pulumi("preview", "--diff")
    assert preview.code == 0, preview.text
    assert len(re.findall(r"~ role:exporter *:", preview.text)) == len(converged.hosts)
    assert {change["key"] for found in there.changes().values() for change in found} == {"role:exporter"}
