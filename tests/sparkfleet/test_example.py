"""Pulumi.lab.yaml, the reference: sound, whole, and right in its comments too."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel

from sparkfleet import config
from sparkfleet.model import Fleet
from tests.sparkfleet.descriptions import write

PROJECT = Path(__file__).resolve().parents[2]


def fields(kind: type[BaseModel]) -> set[str]:
    """The names of all fields of a model and of the models in it."""
    found: set[str] = set()
    for name, field in kind.model_fields.items():
        found.add(name)
        parts = [field.annotation, *getattr(field.annotation, "__args__", ())]
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                found |= fields(part)
    return found


def test_the_example_names_every_field_that_there_is() -> None:
    """Pulumi.lab.yaml is the reference: each key of the model stands in it, as a value or in a comment."""
    text = (PROJECT / "Pulumi.lab.yaml").read_text()

    assert {name for name in fields(Fleet) if not re.search(rf"\b{name}:", text)} == set()


def test_the_example_loads() -> None:
    """Pulumi.lab.yaml is a sound description."""
    assert "spark-01" in config.load("lab", PROJECT).hosts


def test_the_examples_commented_lines_load_too(tmp_path: Path) -> None:
    """What the example shows in comments is right as soon as somebody removes the comment signs."""
    text = (PROJECT / "Pulumi.lab.yaml").read_text()
    text = text.replace("provider: onprem", "provider: aws").replace("sparkfleet:waivers: {}", "sparkfleet:waivers:")
    text = re.sub(
        r"(?m)^( *)# (aws:|amp:|pytorch:|loop:|(?:  )+[a-z_]+:|token:|admin_password:|auth_key:|  ACCESS)",
        r"\1\2",
        text,
    )
    write(tmp_path, text)

    fleet = config.load("x", tmp_path)

    assert fleet.cloud.aws
    assert fleet.containers.pytorch
    assert fleet.containers.loop
    assert fleet.monitoring.amp
    assert fleet.monitoring.grafana.token == "env:GRAFANA_TOKEN"
    assert fleet.tailnet.auth_key == f"file:{tmp_path}/secrets/tailnet"
    assert fleet.waivers["ACCESS-01"].hosts == ["spark-01"]
