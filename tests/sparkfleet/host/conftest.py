"""A fleet of two hosts, one with the monitor, and the project's own files: what the pure half works from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.host import sources
from sparkfleet.model import Role

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources
    from sparkfleet.model import Fleet

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIV23Q2hhN+kpuz4qxdlTunr5he+SFuQpNmArKwO/Y61"


def description() -> dict[str, Any]:
    """The fleet of the goldens: spark-01 has every role, spark-02 the exporter alone."""
    return {
        "fleet": "office",
        "controller": {"folder": "/srv/controller"},
        "hosts": {
            "spark-01": {"addresses": ["100.64.0.1", "192.0.2.1", "fd7a::1"], "roles": ["exporter", "monitor"]},
            "spark-02": {"addresses": ["fd7a::2", "192.0.2.2"], "roles": ["exporter"], "sysfs": "/srv/sys"},
        },
        "base": {"timezone": "Europe/Berlin", "packages": ["jq"], "sysctls": {"net.core.somaxconn": "4096"}},
        "access": {
            "users": {
                "alice": {"sudo": True, "authorized_keys": [f"{KEY} alice@laptop", f"{KEY} alice@desk"]},
                "bob": {"authorized_keys": []},
            }
        },
        "monitoring": {
            "runbooks": "https://docs.example/",
            "receivers": {
                "page": {"webhook": "http://192.0.2.9/page"},
                "ticket": {"webhook": "http://192.0.2.9/ticket"},
                "remediation": {"webhook": "http://192.0.2.9/remediation"},
                "deadman": {"webhook": "http://192.0.2.9/deadman"},
            },
        },
        "cloud": {
            "provider": "onprem",
            "onprem": {"endpoint": "http://s:1", "iam_endpoint": "http://s:2", "admin": "file:/srv/admin.json"},
            "generations": {"spark-02": 2},
        },
    }


RULES = {
    "gb10-alerts.yml": """\
groups:
  - name: gb10
    rules:
      - alert: Gb10Hot # a comment
        expr: |
          a > 1
          or b > 2
        annotations: {runbook_url: docs/guides/alerts/Gb10Hot.md, summary: "{{ $labels.instance }}: hot"}
""",
    "gb10-recording.yml": "groups: [{name: gb10-recording, rules: [{record: 'instance:a:max', expr: max(a)}]}]",
}
KEYS = {"s3/spark-01": "KEY1"}  # spark-02 has none yet


@pytest.fixture(scope="session")
def fleet() -> Fleet:
    """The fleet of the goldens."""
    return config.parse(description())


@pytest.fixture(scope="session")
def project_sources(tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> Sources:
    """The real templates; rules, the exporter and the digests of roles are fixed, so that goldens rest."""
    folder = tmp_path_factory.mktemp("controller")
    (folder / "keys").mkdir()
    (folder / "keys" / "automation.pub").write_text(f"{KEY} sparkfleet\n")
    controller = fleet.controller.model_copy(update={"folder": folder})
    read = sources.read(fleet.model_copy(update={"controller": controller}))
    digests = {role: f"digest-of-{role}" for role in Role}
    zipapps = dict.fromkeys(read.zipapps, b"PK\x03\x04\xffexporter")
    fixed: dict[str, Any] = {"zipapps": zipapps, "raw": dict.fromkeys(read.raw, b"# as it lies\n")}
    return dataclasses.replace(read, **fixed, rules=RULES, role_digests=digests, secret_versions=KEYS)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with its golden file, or writes that anew under `--update-golden`."""
    return Golden(update=bool(request.config.getoption("--update-golden")))


class Golden:
    """Golden files of the host's pure half."""

    folder = Path(__file__).resolve().parents[2] / "golden" / "host"

    def __init__(self, *, update: bool) -> None:
        self.update = update

    def check(self, name: str, text: str) -> None:
        """The text is the golden file's, line for line."""
        file = self.folder / name
        if self.update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        assert text == file.read_text()

    def names(self, folder: str) -> set[str]:
        """The golden files below a folder."""
        place = self.folder / folder
        return {str(file.relative_to(place)) for file in place.rglob("*") if file.is_file()}
