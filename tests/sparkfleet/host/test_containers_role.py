"""The role containers: what is merged, the compose file by its specification's schema, and NGC's key by a helper."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.host import inventory
from sparkfleet.host.apply import plain
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.parts.containers import CLIENT, DAEMON, NGC_KEY
from tests.sparkfleet.host.conftest import description

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources

# Of compose-go 2.16.2, with which `docker compose config` reads a file (Apache 2.0).
SCHEMA = Path(__file__).resolve().parents[2] / "captures/compose-spec.json"
COMPOSE = "/etc/sparkfleet/pytorch/compose.yaml"
HELPER = "/usr/local/bin/docker-credential-sparkfleet-ngc"
IMAGE = f"registry.example/nvidia/pytorch:25.11-py3@sha256:{'4' * 64}"


def rendered(sources: Sources, **containers: Any) -> Desired:
    """What spark-01 should be with the role."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"].append("containers")
    return desired(config.parse({**raw, "containers": containers}), "spark-01", sources)


def compose(sources: Sources, **containers: Any) -> dict[str, Any]:
    """The compose file, read as its engine does: merged keys and all."""
    wanted = rendered(sources, pytorch={"image": IMAGE}, **containers)
    found: dict[str, Any] = yaml.safe_load(wanted.files[COMPOSE].content)
    return found


def merged(found: Desired, path: str) -> dict[str, Any]:
    """Pointer → value of a file that is not ours."""
    prefix = f"json:{path}#"
    return {key.removeprefix(prefix): json.loads(v) for key, v in found.settings.items() if key.startswith(prefix)}


def test_what_nvidias_own_tool_would_write_is_described(project_sources: Sources) -> None:
    """CDI and the runtime nvidia; nothing else of the engine's is ours, and no login without a key."""
    found = rendered(project_sources)

    assert merged(found, DAEMON) == {
        "/features/cdi": True,
        "/runtimes/nvidia/args": [],
        "/runtimes/nvidia/path": "nvidia-container-runtime",
    }
    assert merged(found, CLIENT) == {}
    assert COMPOSE not in found.files
    assert merged(rendered(project_sources, cdi=False, runtime=False), DAEMON) == {}


def test_more_engine_settings_are_single_values(project_sources: Sources) -> None:
    """Whatever they hold: Ansible takes nothing in them up as a template."""
    found = rendered(project_sources, engine={"log-opts": {"tag": "{{.Name}}", "max-size": "50m"}}, cdi=False)

    assert merged(found, DAEMON)["/log-opts/tag"] == "{{.Name}}"
    variables = inventory.variables(found, None)
    assert json.loads(variables["sparkfleet_merged"][DAEMON]["put"]["/log-opts/tag"]) == "{{.Name}}"
    assert variables["sparkfleet_merged"][DAEMON]["validate"].startswith("dockerd --validate")
    assert plain(variables)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"engine": {"hosts": ["tcp://0.0.0.0:2375"]}}, "containers.engine: .*the engine answers on its local socket"),
        ({"engine": {"insecure-registries": []}}, "containers.engine: .*images come over TLS"),
        ({"engine": {"log-opts": {"max-size": None}}}, "containers.engine: .*found null"),
        ({"ngc_key": "nvapi-simulated"}, "containers.ngc_key: .*never the secret itself"),
        ({"ngc_key": "file:/srv/ngc"}, "containers.ngc_registry: missing"),
        ({"pytorch": {"image": "registry.example/nvidia/pytorch:25.11-py3"}}, "containers.pytorch.image: .*by digest"),
        ({"pytorch": {"image": IMAGE, "shm_size": "64"}}, "containers.pytorch.shm_size: .*such as"),
    ],
)
def test_what_would_open_the_engine_or_drift_is_refused(section: dict[str, Any], words: str) -> None:
    """With its path, before anything is touched; of a key that was written out nothing is shown."""
    with pytest.raises(ConfigError, match=words) as refused:
        config.parse({**description(), "containers": section})

    assert "nvapi" not in str(refused.value)


@pytest.mark.parametrize(
    ("ways", "tests"), [({}, {"cdi", "gpus"}), ({"cdi": False}, {"gpus"}), ({"runtime": False}, {"cdi"})]
)
def test_the_compose_file_is_one(project_sources: Sources, ways: dict[str, bool], tests: set[str]) -> None:
    """By the schema of the Compose specification; a self-test for each way in which containers get the GPU."""
    found = compose(project_sources, **ways)

    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    assert found["services"].keys() == {"pytorch", *(f"selftest-{way}" for way in tests)}


def test_no_container_is_open_to_the_network(project_sources: Sources) -> None:
    """No port, no network or memory of the host, no privilege, NVIDIA's entrypoint, an image that nobody can move."""
    for service in compose(project_sources)["services"].values():
        assert service["image"] == IMAGE
        assert not service.keys() & {"ports", "privileged", "entrypoint", "pid", "cap_add"}
        assert service.get("network_mode") in {None, "none"}
        assert (service["ipc"], service["shm_size"]) == ("private", "16g")
        assert service["oom_score_adj"] > 0


def test_the_key_goes_to_docker_over_a_pipe(project_sources: Sources, tmp_path: Path) -> None:
    """Root's Docker asks the helper, which reads the one file; what it cannot give it refuses, and keeps nothing."""
    found = rendered(project_sources, ngc_key="file:/srv/ngc", ngc_registry="registry.example")
    assert merged(found, CLIENT) == {"/credHelpers/registry.example": "sparkfleet-ngc"}
    assert found.parts[found.role_of(f"secret:{NGC_KEY}")].secrets[NGC_KEY].reference == "file:/srv/ngc"
    key = tmp_path / "key"
    script = found.files[HELPER].content.decode().replace(NGC_KEY, str(key))

    def ask(verb: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-IS", "-c", script, verb]
        return subprocess.run(words, input="registry.example\n", capture_output=True, text=True, check=False)

    assert "cannot be read" in ask("get").stderr
    key.write_text("nvapi-simulated\n")
    assert json.loads(ask("get").stdout) == {
        "ServerURL": "registry.example",
        "Username": "$oauthtoken",
        "Secret": "nvapi-simulated",
    }
    assert (ask("store").returncode, ask("erase").returncode, ask("list").stdout) == (1, 1, "{}\n")
