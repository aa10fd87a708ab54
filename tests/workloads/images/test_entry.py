"""How a server in an image is started, and how compose.yaml runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lab.errors import LabError
from lab.imaging import composing
from workloads.images import entry

COMPOSE = Path(__file__).resolve().parents[3] / "workloads/images/compose.yaml"
SECRETS = {
    "label-studio-password": "one-password", "label-studio-token": "two-token",
    "store.json": json.dumps({"AccessKeyId": "id", "SecretAccessKey": "three-key"}),
    "models.json": json.dumps({"AccessKeyId": "id", "SecretAccessKey": "three-key"}), "calypso-admin-key": "key=four",
}  # fmt: skip


@pytest.mark.parametrize("name", ["label", "store"])
def test_a_servers_secrets_stand_in_no_word(name: str) -> None:
    """They are in its environment alone, and came from files."""
    words, variables = entry.SERVERS[name]({}, SECRETS.__getitem__)

    assert not [word for word in words if any(secret in word for secret in ("one-", "two-", "three-"))]
    assert any("-" in value for value in variables.values())


@pytest.mark.parametrize("name", sorted(entry.SERVERS))
def test_a_server_listens_on_loopback_unless_told(name: str) -> None:
    """Nobody is open to a network by leaving something out."""
    closed, _ = entry.SERVERS[name]({"MODELS": "/models"}, SECRETS.__getitem__)
    opened, _ = entry.SERVERS[name]({"MODELS": "/models", "LISTEN": "10.0.0.1"}, SECRETS.__getitem__)

    assert "127.0.0.1" in " ".join(closed)
    assert "10.0.0.1" in " ".join(opened)
    assert "127.0.0.1" not in " ".join(opened)


def test_serve_loads_nothing_for_who_has_no_key() -> None:
    """Whoever may load a model may run code in the server; over gRPC and over HTTP."""
    words, variables = entry.serve({"MODELS": "s3://store/models"}, SECRETS.__getitem__)

    assert [word.partition(":")[2] for word in words if "restricted" in word] == ["key=four"] * 2
    assert variables["AWS_SECRET_ACCESS_KEY"] == "three-key"


@pytest.mark.parametrize("service", sorted(yaml.safe_load(COMPOSE.read_text())["services"]))
def test_every_service_is_bounded(service: str) -> None:
    """No root, no capability, nothing to write to, a limit of memory, no port; strangers' documents: no network."""
    described = yaml.safe_load(COMPOSE.read_text())["services"][service]
    words = composing.run(COMPOSE.read_text(), service, {f"{service.upper()}_IMAGE": "x"})

    assert {"--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--user=64000:64000"} <= set(words)
    assert "--security-opt=no-new-privileges:true" in words
    assert [word for word in words if word.startswith("--memory=")]
    assert "ports" not in described
    assert ("--network=none" in words) == (service == "convert")


def test_the_lab_refuses_what_it_would_leave_out() -> None:
    """A key that it does not know would make its containers others than a host's."""
    with pytest.raises(LabError, match="does not know privileged"):
        composing.run("services: {a: {image: x, privileged: true}}", "a", {})
