"""`spark reboot` on a host as described: proven by its boot id, and nothing fails that did not fail before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

HOST = "spark-03"
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"


def test_a_reboot_is_another_boot_id(converged: FleetUnderTest) -> None:
    """The host's own word before and after is what the report says; the file of the run and the audit log agree."""
    before = converged.on(HOST, BOOT_ID).text.strip()

    run = converged.spark("reboot", HOST, "--json")

    assert run.code == 0, run.text
    after = converged.on(HOST, BOOT_ID).text.strip()
    [told] = json.loads(converged.spark("reboot", "--status", "--json").text)["hosts"]
    assert (told["boot_before"], told["boot_after"], told["state"]) == (before, after, "done")
    assert before != after
    assert told["notes"] == ["a container boots no kernel of its own: nothing to verify"]
    lines = (converged.instance.folder / "audit/lab.jsonl").read_text().splitlines()
    records = [record for record in map(json.loads, lines) if record["kind"] == "reboot"]
    assert [record["outcome"] for record in records] == ["began", "drained", "rebooted", "done"]
    assert records[-1]["new"] == after.replace("-", "")
