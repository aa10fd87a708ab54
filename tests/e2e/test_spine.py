"""From four factory machines to a provisioned, watched fleet, with the commands of a user; the order is the story."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab import spark, store
from lab.spark import factory
from sparkfleet import config
from sparkfleet.host import sources
from sparkfleet.host.desired import desired
from tests.e2e.under_test import until

if TYPE_CHECKING:
    from tests.e2e.under_test import FleetUnderTest

pytestmark = pytest.mark.lab

DROP_IN = "etc/ssh/sshd_config.d/00-sparkfleet.conf"


def wanted(fleet: FleetUnderTest, host: str) -> dict[str, str]:
    """The described settings of a host."""
    description = config.load(fleet.stack, fleet.instance.root)
    return desired(description, host, sources.read(description)).settings


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


def test_preview_names_every_setting(fleet: FleetUnderTest) -> None:
    """Before anything exists, `pulumi preview --diff` lists each setting of each host and every bucket and identity."""
    shown = fleet.pulumi("preview", "--diff")
    assert shown.code == 0, shown.text
    for host in fleet.hosts:
        missing = [key for key in wanted(fleet, host) if key not in shown.text]
        assert missing == []
    assert "test-datasets" in shown.text
    assert "test-models" in shown.text


def test_an_unreachable_host_does_not_lose_the_others(fleet: FleetUnderTest) -> None:
    """With the first host off, one at a time, the others converge; the error says what to do; the next up ends it."""
    spark.halt(fleet.instance, "spark-01")
    first = fleet.pulumi("up", "--yes", "--skip-preview", "--parallel", "1")
    assert first.code != 0
    assert "spark-01 cannot be reached" in first.text
    assert "Next: switch it on or correct hosts.spark-01.addresses" in first.text
    others = fleet.changes("spark-02", "spark-03", "spark-04")
    assert others == {"spark-02": [], "spark-03": [], "spark-04": []}

    spark.boot(fleet.instance, ["spark-01"])
    second = fleet.pulumi("up", "--yes", "--skip-preview")
    assert second.code == 0, second.text
    assert fleet.changes() == {host: [] for host in fleet.hosts}


def test_a_second_up_changes_nothing_and_contacts_no_host(fleet: FleetUnderTest) -> None:
    """When nothing differs, `pulumi up` says unchanged and no stand-in sees a login."""
    before = {host: fleet.logins(host) for host in fleet.hosts}
    assert min(before.values()) > 0
    again = fleet.pulumi("up", "--yes", "--skip-preview")
    assert again.code == 0, again.text
    resources = again.text[again.text.index("Resources:") :]
    assert re.search(r"^ +\d+ unchanged$", resources, re.MULTILINE)
    assert not re.search(r"created|updated|replaced|deleted", resources)
    assert {host: fleet.logins(host) for host in fleet.hosts} == before


def test_drift_is_named_and_put_back(fleet: FleetUnderTest) -> None:
    """An edited drop-in and a stray one: refresh and plan name them, up restores the one and moves the other aside."""
    tree = fleet.tree("spark-02")
    original = (tree / DROP_IN).read_text()
    (tree / DROP_IN).write_text(original.replace("PermitRootLogin no", "PermitRootLogin yes"))
    stray = tree / "etc/ssh/sshd_config.d/01-stray.conf"
    stray.write_text("X11Forwarding yes\n")
    named = {f"file:/{DROP_IN}", "listing:/etc/ssh/sshd_config.d"}

    assert {change["key"] for change in fleet.changes("spark-02")["spark-02"]} == named
    refreshed = fleet.pulumi("refresh", "--yes", "--diff")
    assert refreshed.code == 0, refreshed.text
    changed = {line.split()[1].strip(":") for line in refreshed.text.splitlines() if re.match(r" +~ \w+:/", line)}
    assert changed == named
    up = fleet.pulumi("up", "--yes", "--skip-preview")
    assert up.code == 0, up.text
    assert (tree / DROP_IN).read_text() == original
    assert not stray.exists()
    kept = list((tree / "var/lib/sparkfleet/removed/etc/ssh/sshd_config.d").glob("01-stray.conf.*"))
    assert [file.read_text() for file in kept] == ["X11Forwarding yes\n"]
    assert fleet.changes("spark-02") == {"spark-02": []}


def test_refresh_of_a_silent_host_raises_and_keeps_the_state(fleet: FleetUnderTest) -> None:
    """A host that is off fails the refresh, and the state keeps all four."""
    exported = json.loads(fleet.pulumi("stack", "export").text)
    spark.halt(fleet.instance, "spark-03")
    try:
        refreshed = fleet.pulumi("refresh", "--yes")
    finally:
        spark.boot(fleet.instance, ["spark-03"])
    assert refreshed.code != 0
    assert "spark-03 cannot be reached" in refreshed.text
    after = json.loads(fleet.pulumi("stack", "export").text)
    assert resources(after) == resources(exported)


def resources(exported: dict[str, Any]) -> list[tuple[str, Any]]:
    """What a state says of each resource, less the times."""
    return sorted((r["urn"], json.dumps(r.get("inputs"), sort_keys=True)) for r in exported["deployment"]["resources"])


def test_an_edited_task_shows_as_its_role(fleet: FleetUnderTest) -> None:
    """Editing a task file of a role shows as role:NAME on every host that has it, and as nothing else."""
    tasks = sources.PROJECT / "playbooks/roles/exporter/tasks/main.yml"
    original = tasks.read_text()
    tasks.write_text(original + "# edited by a test\n")
    try:
        preview = fleet.pulumi("preview", "--diff")
        changes = fleet.changes()
    finally:
        tasks.write_text(original)
    assert preview.code == 0, preview.text
    assert len(re.findall(r"~ role:exporter *:", preview.text)) == len(fleet.hosts)
    assert {change["key"] for found in changes.values() for change in found} == {"role:exporter"}


def test_ansible_runs_by_hand(fleet: FleetUnderTest) -> None:
    """`ansible-playbook playbooks/site.yml` with the dynamic inventory finds everything as described."""
    done = fleet.run("ansible-playbook", "playbooks/site.yml", "--check", "--limit", "spark-01:spark-02")
    assert done.code == 0, done.text
    recap = re.findall(r"(spark-\d\d) +: .*changed=(\d+) +unreachable=(\d+) +failed=(\d+)", done.text)
    assert recap == [("spark-01", "0", "0", "0"), ("spark-02", "0", "0", "0")]


def client(fleet: FleetUnderTest, host: str) -> Any:
    """An S3 client with the host's real credentials, read from the host itself."""
    secret = json.loads((fleet.tree(host) / "etc/sparkfleet/s3.json").read_text())
    return boto3.client(
        "s3",
        endpoint_url=fleet.instance.endpoint,
        region_name="us-east-1",
        aws_access_key_id=secret["AccessKeyId"],
        aws_secret_access_key=secret["SecretAccessKey"],
    )


def test_a_host_cannot_read_another_hosts_data(fleet: FleetUnderTest) -> None:
    """With the credentials that lie on the hosts, spark-01 reads its own prefix and is refused spark-02's."""
    one, two = client(fleet, "spark-01"), client(fleet, "spark-02")
    one.put_object(Bucket="test-datasets", Key="hosts/spark-01/note", Body=b"one")
    two.put_object(Bucket="test-datasets", Key="hosts/spark-02/note", Body=b"two")
    assert one.get_object(Bucket="test-datasets", Key="hosts/spark-01/note")["Body"].read() == b"one"
    for forbidden in (
        lambda: one.get_object(Bucket="test-datasets", Key="hosts/spark-02/note"),
        lambda: one.list_objects_v2(Bucket="test-datasets", Prefix="hosts/spark-02/"),
        lambda: one.put_object(Bucket="test-datasets", Key="hosts/spark-02/note", Body=b"x"),
        lambda: one.delete_object(Bucket="test-datasets", Key="hosts/spark-02/note"),
    ):
        with pytest.raises(ClientError) as refused:
            forbidden()
        assert refused.value.response["Error"]["Code"] == "AccessDenied"


def secrets_of(fleet: FleetUnderTest) -> dict[str, str]:
    """Every secret value that this fleet knows."""
    folder = fleet.instance.folder
    found = {
        "set-up password": factory.password(fleet.instance).read_text().strip(),
        "administrator's key": store.credentials(fleet.instance)["secret_access_key"],
        # the middle of the private key: its first line is the same in every OpenSSH key
        "automation key": (folder / "keys/automation").read_text().splitlines()[2],
    }
    for file in sorted((folder / "secrets/s3").glob("*.json")):
        found[f"object-store key of {file.stem}"] = json.loads(file.read_text())["SecretAccessKey"]
    return found


def test_no_secret_value_is_kept_anywhere_else(fleet: FleetUnderTest) -> None:
    """State, backups, logs, rendered trees, runner artifacts, process arguments and journals hold no secret value."""
    values = secrets_of(fleet)
    assert len(values) == 3 + len(fleet.hosts)
    folder = fleet.instance.folder
    places = [folder / "pulumi", folder / "rendered", folder / "run", *Path(tempfile.gettempdir()).glob("spark-*")]
    texts = {str(f): f.read_bytes() for place in places for f in place.rglob("*") if f.is_file()}
    assert any(name.endswith(f"{fleet.stack}.json") for name in texts)
    for host in fleet.hosts:
        journal = ["journalctl", "-D", str(fleet.tree(host) / "var/log/journal"), "-q", "-a", "-o", "export"]
        texts[f"journal of {host}"] = subprocess.run(journal, capture_output=True, check=False).stdout
        assert len(texts[f"journal of {host}"]) > 1000
        marker = fleet.tree(host) / "var/lib/sparkfleet/marker.json"
        texts[str(marker)] = marker.read_bytes()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                texts[f"arguments of process {process.name}"] = (process / "cmdline").read_bytes()
            except OSError:  # it ended
                continue
    leaks = [(what, place) for what, value in values.items() for place, text in texts.items() if value.encode() in text]
    assert leaks == []


def query(fleet: FleetUnderTest, port: int, path: str) -> Any:
    """Ask a loopback service of the monitor host for JSON."""
    done = fleet.on(
        "spark-01",
        f'python3 -c "import urllib.request as u; print(u.urlopen(\\"http://127.0.0.1:{port}{path}\\").read().decode())"',
    )
    assert done.code == 0, done.text
    return json.loads(done.text)


def test_prometheus_has_every_exporter_and_the_temperature(fleet: FleetUnderTest) -> None:
    """The real Prometheus returns the simulated GPU's temperature for all four hosts."""

    def temperatures() -> dict[str, float]:
        found = query(fleet, 9090, "/api/v1/query?query=sparkfleet_gb10_gpu_temperature_celsius")
        return {r["metric"]["instance"]: float(r["value"][1]) for r in found["data"]["result"]}

    until(lambda: set(temperatures()) == set(fleet.hosts), "a temperature of each host", within_s=60)
    assert all(20 < celsius < 110 for celsius in temperatures().values())


def test_stress_reaches_alertmanager_as_gb10hot(fleet: FleetUnderTest) -> None:
    """With the stress scenario on one stand-in, Gb10Hot of that host alone reaches the real Alertmanager."""
    from lab.spark import gb10

    gb10.load(fleet.tree("spark-03"), "stress")

    def alerts() -> set[tuple[str, str]]:
        return {(a["labels"]["alertname"], a["labels"]["instance"]) for a in query(fleet, 9093, "/api/v2/alerts")}

    until(lambda: ("Gb10Hot", "spark-03") in alerts(), "Gb10Hot in Alertmanager", within_s=240, every_s=3)
    assert {pair for pair in alerts() if pair[0] == "Gb10Hot"} == {("Gb10Hot", "spark-03")}
    gb10.load(fleet.tree("spark-03"), "idle")


def test_what_is_no_longer_described_is_taken_away(fleet: FleetUnderTest) -> None:
    """A person who left the description loses the key file; a host that lost the role exporter has it stopped."""

    def less(described: dict[str, Any]) -> None:
        described["sparkfleet:access"]["users"] = {}
        described["sparkfleet:hosts"]["spark-04"]["roles"] = []

    good = fleet.description.read_text()
    fleet.described(less)
    try:
        up = fleet.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        assert fleet.changes() == {host: [] for host in fleet.hosts}
        assert not (fleet.tree("spark-04") / "etc/ssh/authorized_keys/alice").exists()
        unit = fleet.on("spark-04", "systemctl is-active sparkfleet-gb10-exporter.service")
        assert unit.text.strip() == "inactive"
    finally:
        fleet.description.write_text(good)
    restored = fleet.pulumi("up", "--yes", "--skip-preview")
    assert restored.code == 0, restored.text


def test_destroy_leaves_machines_and_data(fleet: FleetUnderTest) -> None:
    """`pulumi destroy` forgets the hosts without touching them, and keeps a bucket that holds data."""
    before = (fleet.tree("spark-02") / "var/lib/sparkfleet/marker.json").read_bytes()
    destroyed = fleet.pulumi("destroy", "--yes", "--skip-preview")
    assert destroyed.code == 0, destroyed.text
    assert "spark-02 was left as it is" in destroyed.text
    assert (fleet.tree("spark-02") / "var/lib/sparkfleet/marker.json").read_bytes() == before
    admin = store.credentials(fleet.instance)
    s3 = boto3.client(
        "s3",
        endpoint_url=fleet.instance.endpoint,
        region_name="us-east-1",
        aws_access_key_id=admin["access_key_id"],
        aws_secret_access_key=admin["secret_access_key"],
    )
    assert "test-datasets" in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
