"""The program that unpacks a described release on a host: whole, checked, once."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sparkfleet.host import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = b"#!/bin/sh\n"
PROGRAMS = {
    "bin/ollama": ["bin/ollama", "lib/ollama/libggml.so"],
    "step-ca": ["step-ca_0.30/README", "step-ca_0.30/step-ca"],
}


def archive(names: list[str]) -> bytes:
    """A release of these programs."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(CONTENT), 0o755
            tar.addfile(entry, io.BytesIO(CONTENT))
    return packed.getvalue()


ARCHIVES = {program: archive(names) for program, names in PROGRAMS.items()}
SHA256 = {program: hashlib.sha256(packed).hexdigest() for program, packed in ARCHIVES.items()}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serves the releases, each under the name of its program; its address."""
    for program, packed in ARCHIVES.items():
        path = tmp_path / "www" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def unpacked(url: str, sha256: str, folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run it as a host does."""
    words = [sys.executable, "-IS", str(Path(unpack.__file__)), url, sha256, str(folder), program]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_described_release_is_unpacked_once(server: str, tmp_path: Path, program: str) -> None:
    """Whole, without the folder that its archive puts around it; an earlier one goes; then nothing is fetched."""
    folder = tmp_path / "opt/thing-2"
    (tmp_path / "opt/thing-1").mkdir(parents=True)
    (tmp_path / "opt/other-1").mkdir()

    done = unpacked(f"{server}/{program}", SHA256[program], folder, program)

    assert (done.returncode, done.stdout) == (0, f"made {folder}\n"), done.stderr
    assert (folder / program).read_bytes() == CONTENT
    assert folder.stat().st_mode & 0o777 == 0o755
    assert {path.name for path in folder.parent.iterdir()} == {"thing-2", "other-1"}
    assert len([path for path in folder.rglob("*") if path.is_file()]) == len(PROGRAMS[program])
    again = unpacked("http://127.0.0.1:1/gone", SHA256[program], folder, program)
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.parametrize(
    ("name", "sha256", "program", "words"),
    [
        ("step-ca", "0" * 64, "step-ca", f"another archive than the described one: sha256 {SHA256['step-ca']}"),
        ("no-such", SHA256["step-ca"], "step-ca", "could not be fetched: HTTP Error 404"),
        ("step-ca", SHA256["step-ca"], "bin/step-ca", "holds no bin/step-ca"),
    ],
    ids=["digest", "address", "program"],  # an archive's digest tells when it was packed: other ids in each worker
)
def test_another_archive_is_refused(
    server: str, tmp_path: Path, *, name: str, sha256: str, program: str, words: str
) -> None:
    """Nothing of it is unpacked, nothing is left, and the release that was there stays."""
    (tmp_path / "opt/thing-1").mkdir(parents=True)

    done = unpacked(f"{server}/{name}", sha256, tmp_path / "opt/thing-2", program)

    assert done.returncode == 1
    assert words in done.stderr
    assert [path.name for path in (tmp_path / "opt").iterdir()] == ["thing-1"]
