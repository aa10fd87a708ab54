"""The role ollama: what a host gets, and the program that unpacks the described release."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from sparkfleet import config
from sparkfleet.errors import ConfigError
from sparkfleet.host.desired import Desired, desired
from tests.sparkfleet.host.conftest import description

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sparkfleet.host.sources import Sources

PREPARE = "/usr/local/lib/sparkfleet/ollama-prepare"
DROP_IN = "/etc/systemd/system/ollama.service.d/60-sparkfleet.conf"
UNIT = "/etc/systemd/system/ollama.service"
PROGRAM = b"#!/bin/sh\n"


def archive() -> bytes:
    """A release: bin/ollama and a library."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("bin/ollama", "lib/ollama/libggml.so"):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(PROGRAM), 0o755
            tar.addfile(entry, io.BytesIO(PROGRAM))
    return packed.getvalue()


ARCHIVE = archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


def rendered(sources: Sources, *more: str, **ollama: Any) -> Desired:
    """What spark-01 should be with the role."""
    raw = description()
    raw["hosts"]["spark-01"]["roles"] += ["ollama", *more]
    return desired(config.parse({**raw, "ollama": ollama}), "spark-01", sources)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serves a release; its address."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www/ollama.tgz").write_bytes(ARCHIVE)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/ollama.tgz"
        httpd.shutdown()


def prepare(sources: Sources, place: Path, url: str, sha256: str = SHA256) -> subprocess.CompletedProcess[str]:
    """Run the shipped program with another place than /opt."""
    script = rendered(sources, url=url, sha256=sha256).files[PREPARE].content.decode()
    words = [sys.executable, "-IS", "-c", script.replace("/opt/sparkfleet", str(place))]
    return subprocess.run(words, capture_output=True, text=True, check=False)


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
    with pytest.raises(ConfigError, match=r"ollama\.sha256: missing; what url names is unpacked by its digest"):
        config.parse({**description(), "ollama": {"url": "https://mirror.example/ollama.tgz"}})


def test_the_described_release_is_unpacked_once(project_sources: Sources, server: str, tmp_path: Path) -> None:
    """Whole, in the folder of its digest; an earlier one goes; the second time nothing is fetched."""
    place = tmp_path / "opt"
    (place / "ollama-earlier").mkdir(parents=True)

    done = prepare(project_sources, place, server)

    assert (done.returncode, done.stdout) == (0, f"made {place}/ollama-{SHA256[:16]}\n"), done.stderr
    assert (place / f"ollama-{SHA256[:16]}/bin/ollama").read_bytes() == PROGRAM
    assert [path.name for path in place.iterdir()] == [f"ollama-{SHA256[:16]}"]
    assert prepare(project_sources, place, "http://127.0.0.1:1/gone").stdout == ""


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (("ollama.tgz", "0" * 64), f"another archive than the described one: sha256 {SHA256}"),
        (("no-such.tgz", SHA256), "could not be fetched: HTTP Error 404"),
    ],
)
def test_another_archive_is_refused(
    project_sources: Sources, server: str, tmp_path: Path, described: tuple[str, str], words: str
) -> None:
    """Nothing of it is unpacked, nothing is left."""
    name, sha256 = described
    done = prepare(project_sources, tmp_path / "opt", server.replace("ollama.tgz", name), sha256)

    assert done.returncode == 1
    assert words in done.stderr
    assert list((tmp_path / "opt").iterdir()) == []
