"""The label loop in containers on a host: compose file, settings, units and the script between them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.host.desired import Desired, desired
from sparkfleet.host.parts.containers import LOOP
from tests.sparkfleet.host.conftest import description
from tests.sparkfleet.host.test_containers_role import SCHEMA

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources

IMAGES = {name: f"registry.example/loop/{name}@sha256:{'5' * 64}" for name in ("convert", "train", "serve", "label")}
START = "/usr/local/lib/sparkfleet/container-start"
CHECKOUT = Path(__file__).resolve().parents[3]
UNITS = "/etc/systemd/system"


def rendered(sources: Sources, **loop: Any) -> Desired:
    """What spark-01 should be with the loop in containers."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"] += ["containers", "node", "label", "memory"]
    raw["containers"] = {"loop": {"images": IMAGES, **loop}}
    return desired(config.parse(raw), "spark-01", sources)


def test_a_host_without_the_section_has_nothing_of_it(project_sources: Sources) -> None:
    """No unit, no file: the loop runs without containers there."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"].append("containers")
    found = desired(config.parse(raw), "spark-01", project_sources)

    assert not [path for path in found.files if "/images/" in path or "container-start" in path]


def test_both_compose_files_are_ones(project_sources: Sources) -> None:
    """By the schema of the Compose specification."""
    found = rendered(project_sources).files
    for path, source in LOOP.items():
        assert path in found
        jsonschema.validate(yaml.safe_load((CHECKOUT / source).read_text()), json.loads(SCHEMA.read_text()))


def test_settings_name_images_by_digest_and_hold_no_secret(project_sources: Sources) -> None:
    """Each image and limit; secrets are files of root's, by reference."""
    found = rendered(
        project_sources, memory={"train": "24g"}, secrets={"label-studio-password": "file:/srv/password"},
        account="me@labels.example", models="s3://store/models",
    )  # fmt: skip
    lines = found.files["/etc/sparkfleet/images/settings.env"].content.decode().splitlines()

    assert {f"{name.upper()}_IMAGE={image}" for name, image in IMAGES.items()} <= set(lines)
    assert "TRAIN_MEMORY=24g" in lines
    assert "/srv/password" not in "".join(lines)
    assert "secret:/etc/sparkfleet/images/label-studio-password" in found.settings


@pytest.mark.parametrize("unit", ["sparkfleet-train@.service", "sparkfleet-container@.service"])
def test_the_memory_guard_is_asked_before_a_start(project_sources: Sources, unit: str) -> None:
    """As much as is described; nothing where nothing is."""
    guarded = rendered(project_sources, need={"train": "40G", "serve": "40G"}).files[f"{UNITS}/{unit}"].content.decode()
    free = rendered(project_sources).files[f"{UNITS}/{unit}"].content.decode()

    assert "/usr/local/bin/spark-memguard --need 40G" in guarded
    assert "spark-memguard" not in free


def test_systemd_accepts_the_units(project_sources: Sources, tmp_path: Path) -> None:
    """It says nothing of the units themselves; programs that this machine lacks are no fault of theirs."""
    found = rendered(project_sources, need={"train": "40G", "convert": "8G", "serve": "40G"})
    for name in ("convert", "train", "container"):
        file = tmp_path / f"sparkfleet-{name}@.service"
        file.write_bytes(found.files[f"{UNITS}/{file.name}"].content)
        words = ["systemd-analyze", "verify", "--man=no", str(file.with_name(f"sparkfleet-{name}@x.service"))]
        file.rename(tmp_path / f"sparkfleet-{name}@x.service")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        faults = [line for line in done.stderr.splitlines() if "sparkfleet-" in line and "not executable" not in line]
        assert [line for line in faults if "not found" not in line] == []


def test_the_script_gives_a_container_copies_of_secrets_and_the_users_number(
    project_sources: Sources, tmp_path: Path
) -> None:
    """A job gets the loop's, a server its own; the engine gets words without any."""
    found = rendered(project_sources, secrets={"store.json": "file:/srv/store"})
    text = found.files[START].content.decode().replace("/var/lib/sparkfleet", str(tmp_path / "lib"))
    text = text.replace("user=sparkfleet-label", "user=nobody").replace(
        "/etc/sparkfleet/images/store", f"{tmp_path}/store"
    )
    (tmp_path / "store.json").write_text("key of the store")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, body in {
        "docker": 'echo "$RUN_AS $SECRETS $*" >>"$TOLD"',
        "install": 'exec /usr/bin/install "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    if os.geteuid() != 0:
        pytest.skip("files are given to another user")
    variables = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "RUNTIME_DIRECTORY": str(tmp_path),
        "TOLD": f"{tmp_path}/told",
    }

    subprocess.run(["sh", "-c", text, "container-start", "store"], env=variables, check=True)

    removed, started = (tmp_path / "told").read_text().splitlines()
    assert removed.endswith("rm --force sparkfleet-store")
    assert started.endswith("run --rm --no-TTY --name sparkfleet-store store")
    assert not started.startswith("0:")
    assert (tmp_path / "secrets/store.json").read_text() == "key of the store"
    assert (tmp_path / "secrets/store.json").stat().st_mode & 0o777 == 0o400


def test_an_image_that_somebody_can_move_is_refused() -> None:
    """A tag alone names another image tomorrow."""
    with pytest.raises(ConfigError, match=r"containers.loop.images.train: .*by digest"):
        config.parse({**description(), "containers": {"loop": {"images": {"train": "registry.example/a/b:1"}}}})
