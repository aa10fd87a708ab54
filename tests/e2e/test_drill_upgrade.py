"""Three stand-ins that really reboot, upgraded in rings → stopped at the bad one, resumed, killed, never half booted.

Their kernels and drivers are simulated (lab/spark/outdated.py); packages, apt, systemd, SSH and reboots are real.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab import gb10, spark
from lab.instance import host_names
from lab.spark import outdated
from tests.e2e.locked_down import at
from tests.e2e.under_test import FleetUnderTest, adopted_fleet, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.lab, pytest.mark.drill]

FIRST, BAD, LAST = host_names(3)
SERVING = "lab-serving.service"
UNIT = "[Unit]\nDescription=serves, as far as an upgrade knows (simulated)\n[Service]\nExecStart=/bin/sleep infinity\n"
BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
PACKAGES = Path("var/lib/dpkg/status")


@pytest.fixture(scope="module")
def fleet() -> Iterator[FleetUnderTest]:
    """Three hosts as described, each one serving, with last month's packages and newer ones on offer."""
    with adopted_fleet(FleetUnderTest, "drill", 3, serving) as made:
        up = made.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        for host in made.hosts:
            outdate(made, host)
            (made.tree(host) / "etc/systemd/system" / SERVING).write_text(UNIT)
            assert made.on(host, f"systemctl daemon-reload; systemctl start {SERVING}").code == 0
        yield made


def serving(config: dict[str, Any]) -> None:
    """No role beside base and access; one unit serves, and what an upgrade waits for is short."""
    for host in config["sparkfleet:hosts"].values():
        host["roles"] = []
    config["sparkfleet:upgrade"].update(soak_minutes=0.05, boot_timeout_minutes=1, free_gib=1, serving=[SERVING])


def outdate(fleet: FleetUnderTest, host: str) -> None:
    """Last month's packages; what Debian has published since is left out, that would be another test each day."""
    tree = fleet.tree(host)
    (tree / "etc/apt/sources.list").write_text("")
    outdated.outdate(tree)


def boot_id(fleet: FleetUnderTest, host: str) -> str:
    """As the host itself tells it."""
    return fleet.on(host, BOOT_ID).text.strip()


def state(fleet: FleetUnderTest, host: str) -> str:
    """Whether the host serves."""
    return fleet.on(host, f"systemctl is-active {SERVING}").text.strip()


def told(fleet: FleetUnderTest, kind: str = "upgrade") -> dict[str, Any]:
    """What `--status --json` says."""
    return dict(json.loads(fleet.spark(kind, "--status", "--json").text))


def outcomes(fleet: FleetUnderTest, kind: str) -> list[tuple[str, str]]:
    """Host and outcome of each record of this kind in the audit log."""
    lines = (fleet.instance.folder / "audit/lab.jsonl").read_text().splitlines()
    return [(r["host"], r["outcome"]) for r in map(json.loads, lines) if r["kind"] == kind]


def test_a_dry_run_names_rings_and_packages(fleet: FleetUnderTest) -> None:
    """And touches none of them."""
    before = {host: (fleet.tree(host) / PACKAGES).read_text() for host in fleet.hosts}
    shown = fleet.spark("upgrade", "--dry-run")

    assert shown.code == 0, shown.text
    assert [line for line in shown.text.splitlines() if line.startswith(("canary", "wave", "rest"))] == [
        f"canary: {FIRST}", f"wave: {BAD}", f"rest: {LAST}",
    ]  # fmt: skip
    assert f"{outdated.DRIVER} {outdated.OLD_DRIVER}-0ubuntu0.24.04.1 → " in shown.text
    assert {host: (fleet.tree(host) / PACKAGES).read_text() for host in fleet.hosts} == before


def test_a_bad_second_host_stops_it_and_the_third_is_not_even_asked(fleet: FleetUnderTest, tmp_path: Path) -> None:
    """Its driver's modules are held: the next kernel would have none. It is not rebooted; the third sees no login."""
    boots = {host: boot_id(fleet, host) for host in fleet.hosts}
    assert fleet.on(BAD, f"apt-mark hold {outdated.MODULES}").code == 0
    logins, packages = fleet.logins(LAST), (fleet.tree(LAST) / PACKAGES).read_bytes()

    run = fleet.spark("upgrade", "--html", str(tmp_path / "upgrade.html"))

    assert (fleet.logins(LAST), (fleet.tree(LAST) / PACKAGES).read_bytes()) == (logins, packages)
    assert run.code == 13, run.text
    document = told(fleet)
    assert [host["state"] for host in document["hosts"]] == ["done", "stopped here", "untouched"]
    first = document["hosts"][0]
    assert (first["boot_before"], first["boot_after"]) == (boots[FIRST], boot_id(fleet, FIRST))
    assert first["boot_before"] != first["boot_after"]
    assert state(fleet, FIRST) == "active"
    assert boot_id(fleet, BAD) == boots[BAD]
    assert f"{outdated.NEW_KERNEL}, and it has no module nvidia" in document["why"]
    for words in ("it has no module nvidia", "`spark upgrade --resume`", f"--skip {BAD}", f"Untouched: {LAST}", "held"):
        assert words in " ".join(run.text.split()), words
    assert "no module nvidia" in (tmp_path / "upgrade.html").read_text()
    expected = [(FIRST, word) for word in ("began", "drained", "applied", "rebooted", "done", "settled")]
    assert outcomes(fleet, "upgrade") == [
        *expected,
        *((BAD, word) for word in ("began", "drained", "applied", "failed")),
    ]


def test_another_upgrade_is_refused_until_this_one_is_ended(fleet: FleetUnderTest) -> None:
    """Half a fleet upgraded and forgotten is how fleets come apart."""
    again = fleet.spark("upgrade")

    assert again.code == 13
    assert "--resume goes on with it" in again.text


def test_its_owner_mends_it_and_goes_on(fleet: FleetUnderTest) -> None:
    """The hold is gone, the modules come, it boots another boot id; then the third; everyone serves again."""
    before = {host: boot_id(fleet, host) for host in fleet.hosts}
    assert fleet.on(BAD, f"apt-mark unhold {outdated.MODULES}").code == 0

    run = fleet.spark("upgrade", "--resume")

    assert run.code == 0, run.text
    document = told(fleet)
    assert [host["state"] for host in document["hosts"]] == ["done", "done", "done"]
    after = {host: boot_id(fleet, host) for host in fleet.hosts}
    assert [host for host in fleet.hosts if after[host] != before[host]] == [BAD, LAST]
    assert [state(fleet, host) for host in fleet.hosts] == ["active"] * 3
    nothing = fleet.spark("upgrade")
    assert nothing.code == 0, nothing.text
    assert {host: boot_id(fleet, host) for host in fleet.hosts} == after


@pytest.mark.parametrize("step", ["drain", "apply", "boot-target", "reboot", "serve"])
def test_a_killed_upgrade_goes_on_where_it_stopped(fleet: FleetUnderTest, step: str) -> None:
    """Kill -9 of the controller at any step: the host ends what it was doing, --resume ends the rest."""
    outdate(fleet, FIRST)
    before = boot_id(fleet, FIRST)
    run = subprocess.Popen(
        [str(Path(sys.executable).with_name("spark")), "upgrade", FIRST],
        cwd=fleet.instance.root, env=fleet.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    at(run, f"{FIRST}: {step} …")
    os.kill(run.pid, signal.SIGKILL)
    run.wait()

    again = fleet.spark("upgrade", "--resume")

    assert again.code == 0, again.text
    assert told(fleet)["hosts"][0]["boot_before"] == before
    assert boot_id(fleet, FIRST) == told(fleet)["hosts"][0]["boot_after"] != before
    assert fleet.on(FIRST, "dpkg --audit; ! apt-get --simulate full-upgrade | grep ^Inst").text == ""
    assert state(fleet, FIRST) == "active"


def test_a_host_that_does_not_come_back_stops_it_until_somebody_was_there(fleet: FleetUnderTest) -> None:
    """Its sshd does not start; at its console it is mended, and the run goes on with the very same boot."""
    fleet.described(lambda config: config["sparkfleet:upgrade"].update(boot_timeout_minutes=0.4))
    assert fleet.on(FIRST, "systemctl disable ssh.service").code == 0

    gone = fleet.spark("reboot", FIRST, LAST)

    assert gone.code == 13, gone.text
    assert "does not answer" in gone.text
    assert f"Untouched: {LAST}" in gone.text
    link = fleet.tree(FIRST) / "etc/systemd/system/multi-user.target.wants/ssh.service"
    link.symlink_to("/lib/systemd/system/ssh.service")
    spark.halt(fleet.instance, FIRST)
    spark.boot(fleet.instance, [FIRST])
    on = fleet.spark("reboot", "--resume")
    assert on.code == 0, on.text
    assert [host["state"] for host in told(fleet, "reboot")["hosts"]] == ["done", "done"]


def test_a_job_on_the_gpu_keeps_a_host_up_unless_forced(fleet: FleetUnderTest) -> None:
    """The simulated GPU has a process that computes: `spark reboot` refuses, names it, and obeys --force."""
    gb10.load(fleet.tree(LAST), "inference")
    asked = "nvidia-smi --query-compute-apps=pid,process_name --format=csv,noheader"
    until(lambda: "6872" in fleet.on(LAST, asked).text, "a job on the simulated GPU", within_s=20)
    try:
        before = boot_id(fleet, LAST)
        refused = fleet.spark("reboot", LAST)
        assert (refused.code, boot_id(fleet, LAST)) == (13, before), refused.text
        assert "a job is on the GPU" in refused.text
        forced = fleet.spark("reboot", LAST, "--force")
        assert forced.code == 0, forced.text
        assert boot_id(fleet, LAST) != before
    finally:
        gb10.load(fleet.tree(LAST), "idle")


def test_plain_ansible_does_the_same(fleet: FleetUnderTest) -> None:
    """By hand, with --check first: it judges and changes nothing; then packages, another boot id, and it serves."""
    outdate(fleet, LAST)
    before, packages = boot_id(fleet, LAST), (fleet.tree(LAST) / PACKAGES).read_bytes()
    playbook = ["ansible-playbook", "playbooks/upgrade.yml", "--limit", LAST]

    checked = fleet.run(*playbook, "--check")
    assert checked.code == 0, checked.text
    assert ((fleet.tree(LAST) / PACKAGES).read_bytes(), boot_id(fleet, LAST)) == (packages, before)
    done = fleet.run(*playbook)
    assert done.code == 0, done.text
    assert boot_id(fleet, LAST) != before
    assert state(fleet, LAST) == "active"
    assert fleet.on(LAST, f"dpkg-query -W {outdated.KERNELS}").text.split()[1] == "2.0"
