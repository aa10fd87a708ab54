"""A converged fleet → unchanged, or the difference that somebody made."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from lab import spark

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab


DROP_IN = "etc/ssh/sshd_config.d/00-sparkfleet.conf"


def test_a_second_up_changes_nothing_and_contacts_no_host(converged: FleetUnderTest) -> None:
    """When nothing differs, `pulumi up` says unchanged and no stand-in sees a login."""
    before = {host: converged.logins(host) for host in converged.hosts}
    assert min(before.values()) > 0
    again = converged.pulumi("up", "--yes", "--skip-preview")
    assert again.code == 0, again.text
    resources = again.text[again.text.index("Resources:") :]
    assert re.search(r"^ +\d+ unchanged$", resources, re.MULTILINE)
    assert not re.search(r"created|updated|replaced|deleted", resources)
    assert {host: converged.logins(host) for host in converged.hosts} == before


def test_drift_is_named_and_put_back(converged: FleetUnderTest) -> None:
    """An edited drop-in and a stray one: refresh and plan name them, up restores the one and moves the other aside."""
    tree = converged.tree("spark-02")
    original = (tree / DROP_IN).read_text()
    (tree / DROP_IN).write_text(original.replace("PermitRootLogin no", "PermitRootLogin yes"))
    stray = tree / "etc/ssh/sshd_config.d/01-stray.conf"
    stray.write_text("X11Forwarding yes\n")
    named = {f"file:/{DROP_IN}", "listing:/etc/ssh/sshd_config.d"}

    assert {change["key"] for change in converged.changes("spark-02")["spark-02"]} == named
    refreshed = converged.pulumi("refresh", "--yes", "--diff")
    assert refreshed.code == 0, refreshed.text
    changed = {line.split()[1].strip(":") for line in refreshed.text.splitlines() if re.match(r" +~ \w+:/", line)}
    assert changed == named
    up = converged.pulumi("up", "--yes", "--skip-preview")
    assert up.code == 0, up.text
    assert (tree / DROP_IN).read_text() == original
    assert not stray.exists()
    kept = list((tree / "var/lib/sparkfleet/removed/etc/ssh/sshd_config.d").glob("01-stray.conf.*"))
    assert [file.read_text() for file in kept] == ["X11Forwarding yes\n"]
    assert converged.changes("spark-02") == {"spark-02": []}


def test_refresh_of_a_silent_host_raises_and_keeps_the_state(converged: FleetUnderTest) -> None:
    """A host that is off fails the refresh, and the state keeps all four."""
    exported = json.loads(converged.pulumi("stack", "export").text)
    spark.halt(converged.instance, "spark-03")
    try:
        refreshed = converged.pulumi("refresh", "--yes")
    finally:
        spark.boot(converged.instance, ["spark-03"])
    assert refreshed.code != 0
    assert "spark-03 cannot be reached" in refreshed.text
    after = json.loads(converged.pulumi("stack", "export").text)
    assert resources(after) == resources(exported)


def resources(exported: dict[str, Any]) -> list[tuple[str, Any]]:
    """What a state says of each resource, less the times."""
    return sorted((r["urn"], json.dumps(r.get("inputs"), sort_keys=True)) for r in exported["deployment"]["resources"])


def test_adopting_again_leaves_what_is_described(converged: FleetUnderTest) -> None:
    """Who adopts a provisioned host again, dropping keys, does not take away the keys of described people."""
    again = converged.adopt("spark-02")
    assert again.code == 0, again.text
    assert converged.changes("spark-02") == {"spark-02": []}


def test_ansible_runs_by_hand(converged: FleetUnderTest) -> None:
    """`ansible-playbook playbooks/site.yml` with the dynamic inventory finds every role of every host as described."""
    done = converged.run("ansible-playbook", "playbooks/site.yml", "--check")
    assert done.code == 0, done.text
    recap = re.findall(r"(spark-\d\d) +: .*changed=(\d+) +unreachable=(\d+) +failed=(\d+)", done.text)
    assert recap == [(host, "0", "0", "0") for host in converged.hosts]
