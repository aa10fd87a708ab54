"""The role ollama: what a host gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.host.desired import Desired, desired
from tests.sparkfleet.host.conftest import description

if TYPE_CHECKING:
    from sparkfleet.host.sources import Sources

PREPARE = "/usr/local/lib/sparkfleet/ollama-prepare"
DROP_IN = "/etc/systemd/system/ollama.service.d/60-sparkfleet.conf"
UNIT = "/etc/systemd/system/ollama.service"
SHA256 = "4f" * 32


def rendered(sources: Sources, *more: str, **ollama: Any) -> Desired:
    """What spark-01 should be with the role."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"] += ["ollama", *more]
    return desired(config.parse({**raw, "ollama": ollama}), "spark-01", sources)


def test_it_is_bound_to_loopback_and_makes_room_first(project_sources: Sources) -> None:
    """Whoever made its unit; the guard is asked where there is one."""
    found = rendered(project_sources, "memory", port=11500, needs_gib=48)
    text = found.files[DROP_IN].content.decode()

    assert "Environment=OLLAMA_HOST=127.0.0.1:11500\n" in text
    assert "ExecStartPre=-+/usr/local/bin/spark-memguard --need=48G\n" in text
    assert UNIT not in found.files
    assert PREPARE not in found.files
    assert "ExecStartPre" not in rendered(project_sources).files[DROP_IN].content.decode()


def test_what_is_fetched_is_named_by_its_digest(project_sources: Sources) -> None:
    """The link to its folder is what the plan compares; without a digest the description is refused."""
    found = rendered(project_sources, url="https://mirror.example/ollama.tgz", sha256=SHA256)

    assert found.settings["link:/usr/local/bin/ollama"] == f"/opt/sparkfleet/ollama-{SHA256[:16]}/bin/ollama"
    assert UNIT in found.files
    assert found.files[PREPARE].content.decode().splitlines()[-1] == (
        "exec /usr/bin/python3 -IS /usr/local/lib/sparkfleet/unpack.py 'https://mirror.example/ollama.tgz'"
        f" {SHA256} /opt/sparkfleet/ollama-{SHA256[:16]} bin/ollama"
    )
    with pytest.raises(ConfigError, match=r"ollama\.sha256: missing; what url names is unpacked by its digest"):
        config.parse({**description(), "ollama": {"url": "https://mirror.example/ollama.tgz"}})
