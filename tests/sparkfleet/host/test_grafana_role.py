"""The role grafana: what a host gets, and the script that makes the repository's key and the password."""

from __future__ import annotations

import configparser
import dataclasses
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sparkfleet import config
from sparkfleet.host import roles
from sparkfleet.host.desired import Desired, desired
from sparkfleet.model import Role
from tests.sparkfleet.host.conftest import description

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkfleet.host.sources import Sources

PREPARE = "/usr/local/lib/sparkfleet/grafana-prepare"
REPOSITORY_KEY = "/usr/local/lib/sparkfleet/repository-key"
KEYRING = "/etc/apt/keyrings/sparkfleet-grafana.asc"
FINGERPRINT = "B53AE77BADB630A683046005963FA27710458545"  # of Grafana's own key
ALERTING = "/etc/grafana/provisioning/alerting/sparkfleet.yaml"


def rendered(sources: Sources, alerts: str = "prometheus", **grafana: Any) -> Desired:
    """What spark-01 should be with Grafana on it."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"].append("grafana")
    raw["monitoring"] |= {"alerts": alerts, "grafana": {"mode": "install", **grafana}}
    fleet = config.parse(raw)
    more = {roles.GRAFANA_KEY: b"the key"} if fleet.monitoring.grafana.key else {}
    return desired(fleet, "spark-01", dataclasses.replace(sources, raw={**sources.raw, **more}))


def test_a_host_without_the_role_gets_nothing_of_it(project_sources: Sources) -> None:
    """No repository, no unit."""
    found = desired(config.parse(description()), "spark-01", project_sources)
    assert not [path for path in found.files if "grafana" in path]
    assert "unit:grafana-server.service" not in found.settings


def test_grafana_listens_on_loopback_and_tells_nobody(project_sources: Sources) -> None:
    """No address but loopback, nobody anonymous, no sign-up, no reports, no checks, no downloads."""
    parser = configparser.ConfigParser()
    parser.read_string(rendered(project_sources, port=3001).files["/etc/grafana/grafana.ini"].content.decode())
    assert (parser["server"]["http_addr"], parser["server"]["http_port"]) == ("127.0.0.1", "3001")
    off = [("auth.anonymous", "enabled"), ("users", "allow_sign_up"), ("analytics", "reporting_enabled"),
           ("analytics", "check_for_updates"), ("news", "news_feed_enabled")]  # fmt: skip
    assert [parser[section].getboolean(key) for section, key in off] == [False] * len(off)
    assert parser["plugins"].getboolean("preinstall_disabled")


def test_the_password_is_nobodys_default(project_sources: Sources) -> None:
    """It is read from a file that root alone reads, and that systemd hands to the service."""
    files = rendered(project_sources).files
    assert "$__file{/run/credentials/grafana-server.service/admin-password}" in (
        files["/etc/grafana/grafana.ini"].content.decode()
    )
    drop_in = files["/etc/systemd/system/grafana-server.service.d/50-sparkfleet.conf"].content.decode()
    assert "LoadCredential=admin-password:/etc/sparkfleet/grafana-admin" in drop_in


def test_a_described_password_is_a_secret_of_the_role(project_sources: Sources) -> None:
    """Its reference stands in the settings, the password nowhere."""
    sources = dataclasses.replace(project_sources, secret_versions={"grafana/admin": "env:ADMIN"})
    found = rendered(sources, admin_password="env:ADMIN")
    assert found.settings["secret:/etc/sparkfleet/grafana-admin"] == "grafana/admin key env:ADMIN"
    assert found.role_of("secret:/etc/sparkfleet/grafana-admin") is Role.GRAFANA


def test_dashboards_lie_where_the_provider_looks(project_sources: Sources) -> None:
    """All of them, in a folder that holds nothing else."""
    found = rendered(project_sources)
    provider = yaml.safe_load(found.files["/etc/grafana/provisioning/dashboards/sparkfleet.yaml"].content)
    place = provider["providers"][0]["options"]["path"]
    assert found.settings[f"listing:{place}"] == "fleet.json memory.json roi.json spark.json thermals.json"


def test_one_evaluator_pages(project_sources: Sources) -> None:
    """With `alerts: grafana` the rules are here and not in Prometheus; otherwise the other way round."""
    for alerts, here in (("grafana", True), ("prometheus", False)):
        files = rendered(project_sources, alerts).files
        assert ("groups" in yaml.safe_load(files[ALERTING].content)) is here
        assert (b"alert:" in files["/etc/prometheus/rules/gb10-alerts.yml"].content) is not here


def test_the_package_waits_for_its_repository(project_sources: Sources) -> None:
    """`grafana` is no package of the common list, which is installed before the repository is there."""
    found = rendered(project_sources)
    assert "package:grafana" not in found.settings
    tasks = yaml.safe_load(Path("playbooks/roles/grafana/tasks/main.yml").read_text())
    assert [task.get("sparkfleet.host.packages") for task in tasks] == [None, {"names": ["grafana"]}]
    source = found.files["/etc/apt/sources.list.d/sparkfleet-grafana.sources"].content.decode()
    assert f"Signed-By: {KEYRING}" in source


def gpg_key(folder: Path, name: str) -> tuple[str, bytes]:
    """A new key: its fingerprint, and itself in PEM."""
    folder.mkdir(mode=0o700, exist_ok=True)
    gpg = ["gpg", "--homedir", str(folder), "--batch", "--quiet"]
    subprocess.run([*gpg, "--passphrase", "", "--quick-generate-key", name, "ed25519"], check=True)
    listed = subprocess.run([*gpg, "--with-colons", "--list-keys", name], check=True, capture_output=True, text=True)
    fingerprint = next(line for line in listed.stdout.splitlines() if line.startswith("fpr")).split(":")[9]
    return fingerprint, subprocess.run([*gpg, "--armor", "--export", name], check=True, capture_output=True).stdout


class Host:
    """A folder that stands for a host, and a repository on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "repository").mkdir()
        handler = partial(Quiet, directory=str(folder / "repository"))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.repository = f"http://127.0.0.1:{self.server.server_port}"

    def run(self, found: Desired) -> subprocess.CompletedProcess[str]:
        """The script on this host."""
        (self.folder / "prepare").write_bytes(found.files[PREPARE].content)
        (self.folder / "repository-key").write_bytes(found.files[REPOSITORY_KEY].content)
        (self.folder / "repository-key").chmod(0o755)
        environment = {
            "REPOSITORY_KEY": str(self.folder / "repository-key"),
            "PATH": "/usr/bin:/bin",
            "KEYRING": str(self.folder / "key"),
            "PASSWORD": str(self.folder / "pw"),
        }
        return subprocess.run(
            ["sh", str(self.folder / "prepare")], env=environment, capture_output=True, text=True, check=False
        )


class Quiet(SimpleHTTPRequestHandler):
    """Without a line a request."""

    def log_message(self, *_: Any) -> None:
        """In silence."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host that has neither key nor password."""
    found = Host(tmp_path)
    yield found
    found.server.shutdown()
    found.server.server_close()


def test_the_key_is_fetched_checked_and_kept(host: Host, project_sources: Sources) -> None:
    """Once: the second run makes nothing. The password is long, and root's alone."""
    fingerprint, key = gpg_key(host.folder / "gpg", "good")
    (host.folder / "repository/gpg.key").write_bytes(key)
    found = rendered(project_sources, repository=host.repository, key_fingerprint=fingerprint)

    first, second = host.run(found), host.run(found)

    assert (first.returncode, first.stdout.count("made "), second.stdout) == (0, 2, ""), first.stderr
    assert (host.folder / "key").read_bytes() == key
    assert (host.folder / "key").stat().st_mode & 0o777 == 0o644
    assert len((host.folder / "pw").read_text().strip()) == 32
    assert (host.folder / "pw").stat().st_mode & 0o777 == 0o600
    assert (host.folder / "pw").read_text().strip() not in first.stdout + first.stderr


def test_another_key_is_refused(host: Host, project_sources: Sources) -> None:
    """Alone, and beside the right one in the same file: it would count just as well."""
    fingerprint, key = gpg_key(host.folder / "gpg", "good")
    _, other = gpg_key(host.folder / "gpg", "other")
    found = rendered(project_sources, repository=host.repository, key_fingerprint=fingerprint)
    for served in (other, key + other):
        (host.folder / "repository/gpg.key").write_bytes(served)

        done = host.run(found)

        assert done.returncode == 1
        assert f"is not the key {fingerprint}" in done.stderr
        assert not (host.folder / "key").exists()


def test_a_key_from_the_description_is_shipped(host: Host, project_sources: Sources) -> None:
    """Nothing is fetched; its fingerprint still has to be the described one."""
    found = rendered(project_sources, key="/srv/grafana.asc", repository=host.repository)
    (host.folder / "key").write_bytes(found.files[KEYRING].content)

    done = host.run(found)

    assert found.files[KEYRING].content == b"the key"
    assert (done.returncode, done.stderr.strip()) == (1, f"{host.folder}/key is not the key {FINGERPRINT}")
    (host.folder / "key").write_bytes(b"the key")
    assert host.run(found).returncode == 1
