"""A host whose owner set the engine up by hand: our values are merged, a broken file is refused, all goes again.

No engine runs there: what Docker itself makes of the merged file stands in docs/decisions/0022-containers.md. The
toolkit and Ollama are simulated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.under_test import FleetUnderTest, Run

pytestmark = pytest.mark.lab

HOST = "spark-04"
BY_HAND = """\
{
  "mtu": 9000,
  "default-address-pools": [ {"base": "10.99.0.0/16",  "size": 24} ],
  "features": {"buildkit": true}
}
"""
BROKEN = BY_HAND.replace("true}", "true},")
WITH_OURS = BY_HAND.replace("true}\n}", 'true, "cdi": true},\n  "log-opts": {\n    "tag": "{{.Name}}"\n  }\n}')


@dataclass(frozen=True)
class Story:
    """What the commands said, one after the other, and the file after each."""

    fleet: FleetUnderTest
    refused: Run
    refused_left: str
    merged: str


@pytest.fixture(scope="module")
def story(converged: FleetUnderTest) -> Iterator[Story]:
    """A broken file meets `up`; the same, mended; then the roles leave the host."""
    good = converged.description.read_text()
    daemon = converged.tree(HOST) / "etc/docker/daemon.json"

    def change(config: dict[str, Any]) -> None:
        config["sparkfleet:hosts"][HOST]["roles"] += ["containers", "ollama"]
        config["sparkfleet:containers"] |= {"runtime": False, "engine": {"log-opts": {"tag": "{{.Name}}"}}}

    daemon.parent.mkdir()
    daemon.write_text(BROKEN)
    converged.described(change)
    try:
        refused = converged.pulumi("up", "--yes", "--skip-preview")
        left = daemon.read_text()
        daemon.write_text(BY_HAND)
        up = converged.pulumi("up", "--yes", "--skip-preview")
        assert up.code == 0, up.text
        yield Story(converged, refused, left, daemon.read_text())
    finally:
        converged.description.write_text(good)
        back = converged.pulumi("up", "--yes", "--skip-preview")
        assert back.code == 0, back.text
        after = daemon.read_text()
        daemon.unlink()
        daemon.parent.rmdir()
    assert after == BY_HAND  # what was ours went, key by key; the rest is the owner's, byte for byte


def test_a_broken_file_is_refused_with_its_line_and_left(story: Story) -> None:
    """Before anything is touched: the file as it was, nothing of the roles there."""
    assert f"{HOST}: nothing was touched, /etc/docker/daemon.json: line 5 column 1:" in story.refused.text
    assert (story.refused.code != 0, story.refused_left) == (True, BROKEN)


def test_settings_made_by_hand_survive(story: Story) -> None:
    """Ours stand beside them; every other byte is as its owner wrote it."""
    assert story.merged == WITH_OURS
    assert story.fleet.changes(HOST) == {HOST: []}


def test_containers_would_get_the_gpu(story: Story) -> None:
    """The CDI specification was made by the toolkit (simulated) and is told as a metric."""
    specification = story.fleet.on(HOST, "cat /run/cdi/nvidia.yaml; cat /var/lib/sparkfleet/metrics/cdi.prom")
    assert json.loads(specification.text.partition("# HELP")[0])["kind"] == "nvidia.com/gpu"
    assert "sparkfleet_cdi_devices 2\n" in specification.text


def test_ollama_listens_on_loopback(story: Story) -> None:
    """Its own unit, our drop-in: nobody outside reaches it."""
    listening = story.fleet.on(HOST, "ss -Hltn sport = :11434")
    assert [row.split()[3] for row in listening.text.splitlines()] == ["127.0.0.1:11434"]
